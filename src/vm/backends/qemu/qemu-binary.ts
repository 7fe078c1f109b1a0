/** Finds QEMU on this host and learns its version, once for each binary. */
import { stat } from "node:fs/promises";
import { posix, win32 } from "node:path";
import { atLeast } from "../../../base/version.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { runProgram } from "../../../process/run-program.ts";
import type { Architecture } from "./qemu-args.ts";

export interface QemuBinary {
  readonly path: string;
  readonly version: string;
  /** size and change time: another build of the same version is another QEMU */
  readonly fingerprint: string;
}

/** What a binary said of its version, kept so that a start need not ask again. */
export interface QemuVersions {
  readonly get: (key: string) => Promise<string | undefined>;
  readonly set: (key: string, version: string) => Promise<void>;
}

/** where QEMU's installer for Windows puts it, which is not on the search path */
const windowsFolder = "C:\\Program Files\\qemu";
const debianPackages = { x64: "qemu-system-x86", arm64: "qemu-system-arm" } as const;
const programs = { x64: "qemu-system-x86_64", arm64: "qemu-system-aarch64" } as const;
/** oldest QEMU with everything used here: Debian 12's */
const versionMin = "7.2.0";

/** Raises TOOL_MISSING when QEMU is not there or too old, with what to install. */
export async function findQemu(
  architecture: Architecture,
  searchPath: string,
  versions?: QemuVersions,
  platform: NodeJS.Platform = process.platform,
): Promise<QemuBinary> {
  const name = programs[architecture];
  const install = `install it: ${installCommand(platform, architecture)}`;
  for (const path of listPlaces(name, searchPath, platform)) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) continue;
    const fingerprint = `${path}:${found.size}:${found.ctimeMs}`;
    const key = `qemu ${fingerprint}`;
    const known = await versions?.get(key);
    const version = known ?? (await readVersion(path));
    if (known === undefined) await versions?.set(key, version);
    if (atLeast(version, versionMin)) return { path, version, fingerprint };
    throw new LuminaGuardError(
      "TOOL_MISSING",
      `QEMU ${version} is too old; ${versionMin} is needed`,
      {
        hint: install,
        details: { path, version },
      },
    );
  }
  throw new LuminaGuardError("TOOL_MISSING", `QEMU (${name}) is not installed`, { hint: install });
}

function installCommand(platform: NodeJS.Platform, architecture: Architecture): string {
  if (platform === "win32") return "winget install SoftwareFreedomConservancy.QEMU";
  if (platform === "darwin") return "brew install qemu";
  return `sudo apt-get install ${debianPackages[architecture]}`;
}

/** Where the program could be, in order. Of PATHEXT's kinds only `.exe` is one that needs no shell. */
export function listPlaces(
  name: string,
  searchPath: string,
  platform: NodeJS.Platform,
): readonly string[] {
  // a relative entry means the current folder, which is the project's: nothing is run from there
  if (platform !== "win32") {
    const folders = searchPath.split(posix.delimiter).filter((folder) => posix.isAbsolute(folder));
    return folders.map((folder) => posix.join(folder, name));
  }
  // an entry may be quoted, and one without a drive would be on the current one
  const folders = searchPath.split(win32.delimiter).map((entry) => entry.replaceAll('"', ""));
  const fixed = folders.filter((folder) => /^([a-z]:[\\/]|[\\/]{2}[^\\/])/i.test(folder));
  return [...fixed, windowsFolder].map((folder) => win32.join(folder, `${name}.exe`));
}

async function readVersion(path: string): Promise<string> {
  const { stdout } = await runProgram(path, ["--version"], { timeoutMs: 10_000 });
  const version = /version (\d+\.\d+\.\d+)/.exec(stdout.toString("utf8"))?.[1];
  if (version !== undefined) return version;
  throw new LuminaGuardError("TOOL_MISSING", `${path} does not say its version`, {
    hint: "is it QEMU?",
  });
}
