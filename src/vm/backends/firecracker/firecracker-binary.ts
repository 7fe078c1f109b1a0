/** Finds Firecracker and its jailer on this host, and learns their version, once for each binary. */
import { stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { atLeast } from "../../../base/version.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { runProgram } from "../../../process/run-program.ts";
import type { VerdictCache } from "../../verdict-cache.ts";
import { versionMin } from "./versions.ts";

export interface FirecrackerBinary {
  readonly path: string;
  readonly version: string;
  /** size and change time: another build of the same version is another Firecracker */
  readonly fingerprint: string;
}

/** What a binary said of its version, kept so that a start need not ask again. */
export type Versions = Pick<VerdictCache, "get" | "set">;

const install =
  "put firecracker of its release on the PATH; see docs/platforms.md#firecracker for where to get it";

/** Raises TOOL_MISSING when it is not there or too old, with what to do. */
export async function findFirecracker(
  searchPath: string,
  versions?: Versions,
): Promise<FirecrackerBinary> {
  const found = await findProgram("firecracker", searchPath, versions);
  if (found === undefined) {
    throw new LuminaGuardError("TOOL_MISSING", "Firecracker is not installed", { hint: install });
  }
  if (atLeast(found.version, versionMin)) return found;
  throw new LuminaGuardError(
    "TOOL_MISSING",
    `Firecracker ${found.version} is too old; ${versionMin} is needed`,
    { hint: install, details: { path: found.path, version: found.version } },
  );
}

/** A program of Firecracker's release by name; `undefined` when it is not there. */
export async function findProgram(
  name: "firecracker" | "jailer",
  searchPath: string,
  versions?: Versions,
): Promise<FirecrackerBinary | undefined> {
  // a relative entry means the current folder, which is the project's: nothing is run from there
  for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) continue;
    const fingerprint = `${path}:${found.size}:${found.ctimeMs}`;
    const key = `${name} ${fingerprint}`;
    const known = await versions?.get(key);
    const version = known ?? (await readVersion(path));
    if (known === undefined) await versions?.set(key, version);
    return { path, version, fingerprint };
  }
  return undefined;
}

async function readVersion(path: string): Promise<string> {
  const { stdout } = await runProgram(path, ["--version"], { timeoutMs: 10_000 });
  const version = /^\w+ v(\d+\.\d+\.\d+)/m.exec(stdout.toString("utf8"))?.[1];
  if (version !== undefined) return version;
  throw new LuminaGuardError("TOOL_MISSING", `${path} does not say its version`, {
    hint: "is it of Firecracker's release?",
  });
}
