/** Finds Firecracker on this host and learns its version, once for each binary. */
import { atLeast } from "../../../base/version.ts";
import { LuminaGuardError } from "../../../errors.ts";
import { findReleaseProgram } from "../../walls/jailer.ts";
import type { ReleaseProgram, Versions } from "../../walls/jailer.ts";
import { versionMin } from "./versions.ts";

const install =
  "put firecracker of its release on the PATH; see docs/platforms.md#firecracker for where to get it";

/** Raises TOOL_MISSING when it is not there or too old, with what to do. */
export async function findFirecracker(
  searchPath: string,
  versions?: Versions,
): Promise<ReleaseProgram> {
  const found = await findReleaseProgram("firecracker", searchPath, versions);
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
