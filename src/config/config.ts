/**
 * Flag, environment, file, default: the first that says something wins, and each value keeps where
 * it came from. The only reader of the environment. Bad values and unknown keys are refused with
 * the nearest known name.
 */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { nearestNames, renderDidYouMean } from "../base/nearest.ts";
import { LuminaGuardError, messageOf } from "../errors.ts";
import { resolveFolders } from "./folders.ts";

export interface Config {
  /** images, templates and what was found out about the host */
  readonly cacheDir: string;
  /** change sets that wait for a person */
  readonly stateDir: string;
  /** the person's own settings and policy */
  readonly configDir: string;
  /** sockets of running machines */
  readonly runtimeDir: string;
  readonly homeDir: string;
  /** where programs are looked up */
  readonly searchPath: string;
  /** image of a machine when none is named */
  readonly image: string;
  /** memory of a machine in `MiB` */
  readonly memoryMib: number;
  /** virtual processors of a machine */
  readonly cpus: number;
  /** what runs machines: `auto`, a backend, or a backend and its accelerator, such as "qemu/tcg" */
  readonly hypervisor: string;
  /** images and templates kept, in `MiB` */
  readonly cacheMibMax: number;
  /** snapshots kept */
  readonly snapshotsMax: number;
  /** what they may take on disk, in `MiB` */
  readonly snapshotsMibMax: number;
  /** policy below the person's own: `observe`, `balanced` or `locked` */
  readonly policyPreset: string;
  /** time a card waits for an answer, in `s` */
  readonly approvalTimeoutS: number;
  /** `yes`: `approvals approve --yes` asks nobody; said in the person's own file only */
  readonly scriptedApproval: string;
  /** variables that a project's `.mcp.json` may use, separated by commas; said in the person's own file only */
  readonly mcpVariables: string;
}

type Key = keyof Config;
type Value = string | number;

export interface ConfigEntry {
  readonly key: Key;
  readonly value: Value;
  /** "default", the environment variable's name, or the file's path */
  readonly origin: string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly entries: readonly ConfigEntry[];
  /** what programs that build images get of the environment */
  readonly toolEnvironment: Readonly<Record<string, string>>;
}

/** Where programs are, where a proxy is, and nothing that could be a secret of another program. */
const toolVariables = [
  ...["PATH", "HOME", "TMPDIR", "GOPROXY", "GOCACHE", "GOMODCACHE", "SSL_CERT_FILE"],
  ...["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"],
];

interface Setting {
  /** undefined: the environment cannot set it */
  readonly variable: string | undefined;
  readonly fallback: Value;
  readonly min?: number;
  readonly max?: number;
  /** words it can be; any text when left out */
  readonly words?: readonly string[];
  /** a file that comes with a project must not move these; only the person's own file is read */
  readonly inFile: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The frozen config of this process. Raises CONFIG_INVALID. */
export function loadConfig(environment: Environment = process.env): LoadedConfig {
  // an empty variable is one that is not set
  const homeDir = environment["HOME"] || userInfo().homedir;
  const folders = resolveFolders(environment, process.platform, process.getuid?.(), homeDir);
  const settings = describeSettings(folders, homeDir, environment["PATH"] ?? "");
  const configDir = environment["LUMINAGUARD_CONFIG_DIR"] || folders.config;
  const path = environment["LUMINAGUARD_CONFIG"] || join(configDir, "config.json");
  const file = readConfigFile(path, settings);
  const entries = (Object.entries(settings) as [Key, Setting][]).map(
    ([key, setting]): ConfigEntry => {
      const { variable } = setting;
      const fromEnvironment = variable && environment[variable];
      if (variable !== undefined && fromEnvironment !== undefined && fromEnvironment !== "") {
        const value = parseValue(variable, fromEnvironment, setting);
        return { key, value, origin: variable };
      }
      const fromFile = file[key];
      if (fromFile !== undefined) {
        return { key, value: parseValue(`${key} in ${path}`, fromFile, setting), origin: path };
      }
      return { key, value: setting.fallback, origin: "default" };
    },
  );
  const config = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
  const tools = toolVariables.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    config: Object.freeze(config) as unknown as Config,
    entries,
    toolEnvironment: Object.freeze(Object.fromEntries(tools)),
  };
}

function describeSettings(
  folders: ReturnType<typeof resolveFolders>,
  homeDir: string,
  searchPath: string,
): Readonly<Record<Key, Setting>> {
  const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return {
    cacheDir: { variable: "LUMINAGUARD_CACHE_DIR", fallback: folders.cache, inFile: true },
    stateDir: { variable: "LUMINAGUARD_STATE_DIR", fallback: folders.state, inFile: true },
    runtimeDir: { variable: "LUMINAGUARD_RUNTIME_DIR", fallback: folders.runtime, inFile: true },
    configDir: { variable: "LUMINAGUARD_CONFIG_DIR", fallback: folders.config, inFile: false },
    homeDir: { variable: "HOME", fallback: homeDir, inFile: false },
    searchPath: { variable: "PATH", fallback: searchPath || systemPath, inFile: false },
    image: { variable: "LUMINAGUARD_IMAGE", fallback: "base", inFile: true },
    memoryMib: number("LUMINAGUARD_MEMORY_MIB", 512, 96, 65_536),
    cpus: number("LUMINAGUARD_CPUS", 1, 1, 32),
    hypervisor: { variable: "LUMINAGUARD_HYPERVISOR", fallback: "auto", inFile: true },
    cacheMibMax: number("LUMINAGUARD_CACHE_MIB_MAX", 20_480, 1, 10_000_000),
    snapshotsMax: number("LUMINAGUARD_SNAPSHOTS_MAX", 64, 1, 10_000),
    snapshotsMibMax: number("LUMINAGUARD_SNAPSHOTS_MIB_MAX", 20_480, 1, 10_000_000),
    policyPreset: {
      variable: "LUMINAGUARD_POLICY_PRESET",
      fallback: "balanced",
      words: ["observe", "balanced", "locked"],
      inFile: true,
    },
    approvalTimeoutS: number("LUMINAGUARD_APPROVAL_TIMEOUT", 300, 1, 86_400),
    scriptedApproval: { variable: undefined, fallback: "no", words: ["no", "yes"], inFile: true },
    mcpVariables: { variable: undefined, fallback: "", inFile: true },
  };
}

function number(variable: string, fallback: number, min: number, max: number): Setting {
  return { variable, fallback, min, max, inFile: true };
}

function parseValue(name: string, value: unknown, setting: Setting): Value {
  if (typeof setting.fallback === "string") {
    return parseText(name, value, setting.words);
  }
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = setting;
  const parsed = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (Number.isSafeInteger(parsed) && Number(parsed) >= min && Number(parsed) <= max) {
    return Number(parsed);
  }
  throw new LuminaGuardError("CONFIG_INVALID", `${name} is ${JSON.stringify(value)}`, {
    hint: `use a whole number from ${min} to ${max}`,
  });
}

function parseText(name: string, value: unknown, words: readonly string[] | undefined): string {
  if (typeof value !== "string" || value === "") {
    throw new LuminaGuardError("CONFIG_INVALID", `${name} must be text`);
  }
  if (words === undefined || words.includes(value)) return value;
  throw new LuminaGuardError("CONFIG_INVALID", `${name} is ${JSON.stringify(value)}`, {
    hint: renderDidYouMean(value, words) ?? `use ${words.join(", ")}`,
  });
}

function readConfigFile(
  path: string,
  settings: Readonly<Record<Key, Setting>>,
): Readonly<Partial<Record<Key, unknown>>> {
  const text = readIfThere(path);
  if (text === undefined) return {};
  const parsed = parseObject(path, text);
  const known = Object.keys(settings).filter((key) => settings[key as Key].inFile);
  for (const key of Object.keys(parsed)) {
    if (known.includes(key)) continue;
    const nearest = nearestNames(key, known, 1)[0];
    throw new LuminaGuardError("CONFIG_INVALID", `unknown setting "${key}" in ${path}`, {
      hint: nearest === undefined ? `known: ${known.join(", ")}` : `did you mean "${nearest}"?`,
    });
  }
  return parsed;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new LuminaGuardError("CONFIG_INVALID", `cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function parseObject(path: string, text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch (error) {
    throw new LuminaGuardError("CONFIG_INVALID", `${path} is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  throw new LuminaGuardError("CONFIG_INVALID", `${path} must hold one JSON object`);
}
