/**
 * Copies of a machine's memory file. It has holes where the machine never wrote, and file systems that
 * can share blocks copy it for nearly nothing.
 */
import { constants } from "node:fs";
import { copyFile, rm } from "node:fs/promises";
import { toHostError } from "../base/host-error.ts";
import { isLuminaGuardError, LuminaGuardError } from "../errors.ts";
import { runProgram } from "../process/run-program.ts";

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** zeros become holes: the file was written as a whole, which takes longer to look through
   * @default false: holes stay what they are */
  readonly findHoles?: boolean | undefined;
}

/** Raises HOST_LIMIT when there is no room, with nothing left at `to`. */
export async function copyMemory(
  from: string,
  to: string,
  { signal, findHoles = false }: CopyOptions = {},
): Promise<void> {
  try {
    if (process.platform === "linux") await copyWithHoles(from, to, findHoles, signal);
    else await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    await rm(to, { force: true });
    signal?.throwIfAborted();
    if (isLuminaGuardError(error, "PROCESS_FAILED")) throw noRoom(error);
    throw toHostError(error, "a machine's memory cannot be copied");
  }
}

/**
 * Makes holes of what is zero, in place: the file takes less room, and is copied sooner. Where no program for
 * it is found (util-linux), or the file system has no holes, it stays as it is.
 */
export async function digHoles(path: string, signal?: AbortSignal): Promise<void> {
  try {
    await runProgram("fallocate", ["--dig-holes", "--", path], { signal });
  } catch (error) {
    signal?.throwIfAborted();
    const isUseless = (["TOOL_MISSING", "PROCESS_FAILED"] as const).some((code) =>
      isLuminaGuardError(error, code),
    );
    if (!isUseless) throw error;
  }
}

/** Node's own copy fills the holes. GNU cp; busybox has no such options. */
async function copyWithHoles(
  from: string,
  to: string,
  findHoles: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const sparse = findHoles ? "--sparse=always" : "--sparse=auto";
  await runProgram("cp", ["--reflink=auto", sparse, "--", from, to], { signal });
}

function noRoom(cause: LuminaGuardError): LuminaGuardError {
  return new LuminaGuardError(
    "HOST_LIMIT",
    `a machine's memory cannot be copied: ${cause.message}`,
    {
      hint: "is the disk full? make room with: luminaguard vm snapshot rm, luminaguard cache prune",
      cause,
    },
  );
}
