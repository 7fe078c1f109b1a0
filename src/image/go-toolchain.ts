/**
 * Finds a Go compiler for the guest agent: the one on PATH where it is new enough to use modules,
 * else Debian's own with Debian's copy of x/net, which needs no module proxy.
 */
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError } from "../errors.ts";
import type { HostTools } from "./host-tools.ts";

export interface GoToolchain {
  /** the `go` program */
  readonly program: string;
  /** such as `go1.26.8` */
  readonly version: string;
  /** `modules`: packages come by go.mod; `gopath`: they lie in `librariesFolder` (/usr/share/gocode) */
  readonly kind: "modules" | "gopath";
  readonly librariesFolder?: string;
  /** GOROOT, where it cannot be found from the program */
  readonly root?: string;
}

/** oldest Go that reads the guest's go.mod */
const modulesMinor = 23;
/** oldest Go that compiles the guest at all: Debian 12's */
const gopathMinor = 19;

export const debianGoPackages: readonly string[] = ["golang-go", "golang-golang-x-net-dev"];

interface FindGoOptions {
  /** where Debian's packages are unpacked
   * @default "/" */
  readonly debianRoot?: string;
  /** look at PATH
   * @default true */
  readonly path?: boolean;
}

/** The best compiler there is, or undefined. */
export async function findGo(
  tools: HostTools,
  options: FindGoOptions = {},
): Promise<GoToolchain | undefined> {
  const { debianRoot = "/", path = true } = options;
  if (path) {
    const version = await goVersion(tools, "go", {});
    if (version !== undefined && minorOf(version) >= modulesMinor) {
      return { program: "go", version, kind: "modules" };
    }
  }
  return findDebianGo(tools, debianRoot);
}

async function findDebianGo(
  tools: HostTools,
  debianRoot: string,
): Promise<GoToolchain | undefined> {
  const librariesFolder = join(debianRoot, "usr/share/gocode");
  try {
    await access(join(librariesFolder, "src/golang.org/x/net/http2"));
  } catch {
    return undefined; // without x/net Debian's compiler is of no use
  }
  const lib = join(debianRoot, "usr/lib");
  const names = await readdir(lib).catch(() => [] as string[]);
  const roots = names.filter((name) => /^go-1\.\d+$/.test(name));
  roots.sort((a, b) => Number(b.slice(5)) - Number(a.slice(5)));
  for (const name of roots) {
    const root = join(lib, name);
    const program = join(root, "bin/go");
    const version = await goVersion(tools, program, { GOROOT: root });
    if (version !== undefined && minorOf(version) >= gopathMinor) {
      return { program, version, kind: "gopath", librariesFolder, root };
    }
  }
  return undefined;
}

async function goVersion(
  tools: HostTools,
  program: string,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    const { stdout } = await tools.run(program, ["version"], {
      env: { ...env, GOTOOLCHAIN: "local" },
    });
    return /^go version (go\S+)/.exec(stdout.toString("utf8"))?.[1];
  } catch (error) {
    const code = error instanceof LuminaGuardError ? error.code : "USAGE";
    if (["TOOL_MISSING", "PROCESS_FAILED", "TIMEOUT"].includes(code)) return undefined;
    throw error;
  }
}

/** 23 of `go1.23.4`; -1 of what is no release */
function minorOf(version: string): number {
  return Number(/^go1\.(\d+)/.exec(version)?.[1] ?? -1);
}

export function goMissing(): LuminaGuardError {
  return new LuminaGuardError(
    "TOOL_MISSING",
    `no Go compiler (1.${modulesMinor} or newer) to build the guest agent with`,
    {
      hint: `sudo apt-get install --no-install-recommends ${debianGoPackages.join(" ")}`,
      details: { program: "go" },
    },
  );
}
