/**
 * Package lists of an architecture that is not the host's. The host's apt follows its own only, and
 * teaching it another one would take root and change every later `apt-get update`. They are fetched
 * into a folder of ours instead, from the host's sources and checked with the host's keys.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError, isLuminaGuardError } from "../errors.ts";
import type { HostTools } from "./host-tools.ts";
import type { ImageArch } from "./manifest.ts";

/** lists older than this are fetched again, in `ms` */
const ageMsMax = 24 * 3600 * 1000;
const updateTimeoutMs = 300_000;

/**
 * Fetches the lists into `folder` unless that was done within a day. Without a network, lists that are
 * there are used whatever their age. Raises IMAGE_BUILD_FAILED or TOOL_MISSING.
 * @param aptArguments settings of this build's apt, which name `folder` as its lists
 */
export async function refreshLists(
  tools: HostTools,
  folder: string,
  arch: ImageArch,
  aptArguments: readonly string[],
): Promise<void> {
  const stamp = join(folder, "fetched");
  const fetchedAtMs = await stat(stamp).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
  if (fetchedAtMs !== undefined && Date.now() - fetchedAtMs < ageMsMax) return;
  await mkdir(join(folder, "partial"), { recursive: true, mode: 0o700 });
  const settings = ["-o", "Acquire::Languages=none", "-o", "APT::Update::Error-Mode=any"];
  try {
    await tools.run("apt-get", [...aptArguments, ...settings, "update"], {
      timeoutMs: updateTimeoutMs,
    });
  } catch (error) {
    const isFailure = isLuminaGuardError(error, "PROCESS_FAILED");
    if (!isFailure && !isLuminaGuardError(error, "TIMEOUT")) throw error;
    if (fetchedAtMs !== undefined) return;
    throw new LuminaGuardError(
      "IMAGE_BUILD_FAILED",
      `Debian's package lists for ${arch} could not be fetched: ${error.message}`,
      { hint: "check the network and build again", cause: error },
    );
  }
  await writeFile(stamp, "");
}
