/**
 * One apply at a time in one workspace, across processes. The lock is a folder that holds one file named
 * after its owner. Taking it is a rename onto nothing or onto an empty folder, which the file system does
 * for one process only; a dead owner's file is removed by its own name, so a newer owner is never robbed.
 *
 *   <state>/locks/<hash of the root>/<pid>-<start ticks>-<random>
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LuminaGuardError } from "../errors.ts";
import { identifySelf, isRunning } from "../process/process-identity.ts";
import { errnoOf, toHostError } from "../base/host-error.ts";
import { isProcessGone } from "./process-gone.ts";

export interface WorkspaceLockOptions {
  /** longest wait for another apply in `ms` @default 10 s */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface WorkspaceLock extends AsyncDisposable {
  readonly release: () => Promise<void>;
}

/** pause between two looks at a lock that is held, in `ms` */
const pauseMs = 25;

/** The lock, or undefined when somebody else held it until the deadline. */
export async function tryLockWorkspace(
  stateDir: string,
  root: string,
  options: WorkspaceLockOptions = {},
): Promise<WorkspaceLock | undefined> {
  const locks = join(stateDir, "locks");
  const folder = join(locks, createHash("sha256").update(root).digest("hex").slice(0, 32));
  const self = identifySelf();
  const owner = `${self.pid}-${self.startTicks ?? "x"}-${randomBytes(6).toString("hex")}`;
  const deadline = performance.now() + (options.timeoutMs ?? 10_000);
  try {
    await mkdir(locks, { recursive: true, mode: 0o700 });
    while (!(await take(folder, owner))) {
      options.signal?.throwIfAborted();
      if (await clearDead(folder)) continue;
      if (performance.now() >= deadline) return undefined;
      await sleep(pauseMs);
    }
  } catch (error) {
    throw toHostError(error, "the workspace could not be locked");
  }
  const release = async (): Promise<void> => {
    await rm(join(folder, owner), { force: true });
    await removeEmpty(folder);
  };
  return { release, [Symbol.asyncDispose]: release };
}

/** The lock, or APPLY_FAILED when somebody else holds it. */
export async function lockWorkspace(
  stateDir: string,
  root: string,
  options: WorkspaceLockOptions = {},
): Promise<WorkspaceLock> {
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
    if (pid === undefined) await clearDead(join(locks, name));
    else if (await isProcessGone(Number(pid))) {
      await rm(join(locks, name), { recursive: true, force: true });
    }
  }
}

async function take(folder: string, owner: string): Promise<boolean> {
  const made = `${folder}.${owner}`;
  await mkdir(made, { mode: 0o700 });
  try {
    await writeFile(join(made, owner), "");
    await rename(made, folder);
    return true;
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    if (["ENOTEMPTY", "EEXIST", "EPERM"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** Whether the lock is worth another try: its owner was dead, or it was released meanwhile. */
async function clearDead(folder: string): Promise<boolean> {
  // released and removed meanwhile: nobody holds it
  const owners = await readdir(folder).catch((): string[] => []);
  for (const owner of owners) {
    const [pid, ticks] = owner.split("-");
    const startTicks = ticks === "x" ? null : Number(ticks);
    if (await isRunning({ pid: Number(pid), startTicks })) return false;
    // another process may have cleared it first
    await unlink(join(folder, owner)).catch(() => undefined);
  }
  await removeEmpty(folder);
  return true;
}

async function removeEmpty(folder: string): Promise<void> {
  // not empty any more: somebody has just taken it
  await rmdir(folder).catch(() => undefined);
}
