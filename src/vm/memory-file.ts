/**
 * Copies of a machine's memory file. It has holes where the machine never wrote, and file systems that
 * can share blocks copy it for nearly nothing.
 */
import { constants } from "node:fs";
import { copyFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { toHostError } from "../base/host-error.ts";
import { isLuminaGuardError, LuminaGuardError } from "../errors.ts";
import { runProgram } from "../process/run-program.ts";

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** zeros become holes: the file was written as a whole, which takes longer to look through
   * @default false: holes stay what they are */
  readonly findHoles?: boolean | undefined;
}

/** what a file holds that no copy was begun in */
const untouched = "-";
/** between two looks whether it was begun, in `ms` */
const lookMs = 1;

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

/** A copy that a hypervisor may map while it is made. */
export interface MemoryFilling {
  /**
   * Begins to copy; resolves when the copy has its full size and stays the file it is, as a hypervisor wants it
   * that maps it: QEMU refuses one of another size (system/physmem.c). Rejects as `copyMemory` does.
   */
  readonly begin: () => Promise<void>;
  /** Resolves when the copy is whole; rejects as `copyMemory` does, with nothing left at its place. */
  readonly finish: () => Promise<void>;
  /** Ends it; resolves when nothing writes any more. */
  readonly giveUp: () => Promise<void>;
}

/** The file is there when this resolves. On Linux nothing is copied yet, and only its owner may open it. */
export async function createFilling(
  from: string,
  to: string,
  { signal }: Pick<CopyOptions, "signal"> = {},
): Promise<MemoryFilling> {
  if (process.platform !== "linux") {
    // a clone, which is there at once and wants the place free
    await copyMemory(from, to, { signal });
    const over = (): Promise<void> => Promise.resolve();
    return { begin: over, finish: over, giveUp: over };
  }
  const ending = new AbortController();
  const scope = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
  const { size } = await stat(from);
  await writeFile(to, untouched, { mode: 0o600 });
  let copying: Promise<void> | undefined;
  const finish = (): Promise<void> => (copying ??= copyMemory(from, to, { signal: scope }));
  return {
    begin: () => giveSize(to, size, finish()),
    finish,
    giveUp: async () => {
      ending.abort();
      await finish().catch(() => undefined);
    },
  };
}

/** The copying program empties the file once, and only then can it be given its size. */
async function giveSize(to: string, size: number, copying: Promise<void>): Promise<void> {
  const isOver = copying.then(() => true);
  while (!(await Promise.race([isOver, isBegun(to)]))) await setTimeout(lookMs);
  await truncate(to, size).catch(async (error: unknown) => {
    await copying; // it says better why the file is gone
    throw error;
  });
}

async function isBegun(to: string): Promise<boolean> {
  const found = await stat(to).catch(() => undefined);
  return found !== undefined && found.size !== untouched.length;
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
    if (isLuminaGuardError(error, "TOOL_MISSING")) return;
    if (!isLuminaGuardError(error, "PROCESS_FAILED")) throw error;
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
