/** Finds vfkit on this host and learns its version. */
import { stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { LuminaGuardError, isLuminaGuardError } from "../../../errors.ts";
import { runProgram } from "../../../process/run-program.ts";
import { explainVfkitEnd } from "./vfkit-failure.ts";

export interface VfkitBinary {
  readonly path: string;
  /** `unknown` for one that was built without a version */
  readonly version: string;
  /** size and change time: another build of the same version is another vfkit */
  readonly fingerprint: string;
}

/** the first that takes a disk as read-only, which images need */
const versionMin = [0, 6, 0] as const;
const install = "brew install vfkit";

/** Raises TOOL_MISSING when vfkit is not there, too old, or not let run, with the fix. */
export async function findVfkit(searchPath: string, signal?: AbortSignal): Promise<VfkitBinary> {
  // a relative entry means the current folder, which is the project's: nothing is run from there
  for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
    const path = join(folder, "vfkit");
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) continue;
    const version = await readVersion(path, signal);
    if (!isNewEnough(version)) {
      const least = versionMin.join(".");
      throw new LuminaGuardError(
        "TOOL_MISSING",
        `vfkit ${version} is too old; ${least} is needed`,
        {
          hint: "brew upgrade vfkit",
          details: { path, version },
        },
      );
    }
    return { path, version, fingerprint: `${path}:${found.size}:${found.ctimeMs}` };
  }
  throw new LuminaGuardError("TOOL_MISSING", "vfkit is not installed", { hint: install });
}

async function readVersion(path: string, signal?: AbortSignal): Promise<string> {
  try {
    const { stdout } = await runProgram(path, ["--version"], { timeoutMs: 10_000, signal });
    const said = stdout.toString("utf8");
    const version = /^vfkit version: v?(\d+\.\d+\.\d+|unknown)/m.exec(said)?.[1];
    if (version !== undefined) return version;
  } catch (error) {
    signal?.throwIfAborted();
    if (!isLuminaGuardError(error)) throw error;
    const said = typeof error.details["stderr"] === "string" ? error.details["stderr"] : "";
    const wasKilled = said === "" && error.message.includes("SIGKILL");
    const end = wasKilled ? { stderr: "", signal: "SIGKILL" } : { stderr: said || error.message };
    const { message, hint = install } = explainVfkitEnd({ path, signal: null, ...end });
    throw new LuminaGuardError("TOOL_MISSING", message, { hint, cause: error, details: { path } });
  }
  throw new LuminaGuardError("TOOL_MISSING", `${path} does not say its version`, {
    hint: "is it crc-org's vfkit?",
  });
}

function isNewEnough(version: string): boolean {
  if (version === "unknown") return true; // one without the option refuses it
  const numbers = version.split(".").map(Number);
  for (const [index, least] of versionMin.entries()) {
    const own = numbers[index] ?? 0;
    if (own !== least) return own > least;
  }
  return true;
}
