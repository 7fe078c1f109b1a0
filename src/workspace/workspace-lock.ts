/**
 * One apply at a time in one workspace, across processes.
 *
 *   <state>/locks/<hash of the root>/<pid>-<start ticks>-<random>
 */
import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError } from "../errors.ts";
import { toHostError } from "../base/host-error.ts";
import { clearDeadLock, tryTakeLock } from "../process/process-lock.ts";
import type { ProcessLock, ProcessLockOptions } from "../process/process-lock.ts";
import { isProcessGone } from "./process-gone.ts";

/** The lock, or undefined when somebody else held it until the deadline. */
export async function tryLockWorkspace(
  stateDir: string,
  root: string,
  options: ProcessLockOptions = {},
): Promise<ProcessLock | undefined> {
  const name = createHash("sha256").update(root).digest("hex").slice(0, 32);
  try {
    return await tryTakeLock(join(stateDir, "locks", name), options);
  } catch (error) {
    throw toHostError(error, "the workspace could not be locked");
  }
}

/** The lock, or APPLY_FAILED when somebody else holds it. */
export async function lockWorkspace(
  stateDir: string,
  root: string,
  options: ProcessLockOptions = {},
): Promise<ProcessLock> {
  const lock = await tryLockWorkspace(stateDir, root, options);
  if (lock !== undefined) return lock;
  throw new LuminaGuardError("APPLY_FAILED", `changes are being applied to ${root} right now`, {
    hint: "wait until the other one is done, then try again",
    details: { root },
  });
}

/** Removes what killed processes left half made in the folder of locks. */
export async function clearLocks(stateDir: string): Promise<void> {
  const locks = join(stateDir, "locks");
  // before the first lock there is no folder
  for (const name of await readdir(locks).catch((): string[] => [])) {
    const pid = /\.(\d+)-[^.]*$/.exec(name)?.[1];
    if (pid === undefined) await clearDeadLock(join(locks, name));
    else if (await isProcessGone(Number(pid))) {
      await rm(join(locks, name), { recursive: true, force: true });
    }
  }
}
