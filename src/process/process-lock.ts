/**
 * One process at a time. The lock is a folder that holds one file named after its owner. Taking it is a
 * rename onto nothing or onto an empty folder, which the file system does for one process only; a dead
 * owner's file is removed by its own name, so a newer owner is never robbed.
 *
 *   <folder>/<pid>-<start ticks>-<random>
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf } from "../base/host-error.ts";
import { identifySelf, isRunning } from "./process-identity.ts";

export interface ProcessLockOptions {
  /** longest wait for another owner in `ms` @default 10 s */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ProcessLock extends AsyncDisposable {
  readonly release: () => Promise<void>;
}

/** pause between two looks at a lock that is held, in `ms` */
const pauseMs = 25;

/** The lock, or undefined when somebody else held it until the deadline. Raises what the file system says. */
export async function tryTakeLock(
  folder: string,
  options: ProcessLockOptions = {},
): Promise<ProcessLock | undefined> {
  const self = identifySelf();
  const owner = `${self.pid}-${self.startTicks ?? "x"}-${randomBytes(6).toString("hex")}`;
  const deadline = performance.now() + (options.timeoutMs ?? 10_000);
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  while (!(await take(folder, owner))) {
    options.signal?.throwIfAborted();
    if (await clearDeadLock(folder)) continue;
    if (performance.now() >= deadline) return undefined;
    await sleep(pauseMs);
  }
  const release = async (): Promise<void> => {
    await rm(join(folder, owner), { force: true });
    await removeEmpty(folder);
  };
  return { release, [Symbol.asyncDispose]: release };
}

/** Whether the lock is worth another try: its owner was dead, or it was released meanwhile. */
export async function clearDeadLock(folder: string): Promise<boolean> {
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

async function removeEmpty(folder: string): Promise<void> {
  // not empty any more: somebody has just taken it
  await rmdir(folder).catch(() => undefined);
}
