/** Which process a pid means: a pid is used again after its process ended, its start time is not. */
import { readFile, readdir } from "node:fs/promises";
import { readFileSync } from "node:fs";
import type { ProcessIdentity } from "./process-source.ts";
import { psSource } from "./ps-source.ts";

export type { ProcessIdentity } from "./process-source.ts";

/** The process's identity now; `undefined` when there is no such process. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  if (psSource !== undefined) return psSource.identify(pid);
  try {
    return { pid, startTicks: parseStartTicks(await readFile(`/proc/${pid}/stat`, "latin1")) };
  } catch {
    // no /proc (Windows), or no such process
    return isAlive(pid) ? { pid, startTicks: null } : undefined;
  }
}

/** The same at once, for what cannot wait. */
export function identifyNow(pid: number): ProcessIdentity | undefined {
  if (psSource !== undefined) return psSource.identify(pid);
  try {
    return { pid, startTicks: parseStartTicks(readFileSync(`/proc/${pid}/stat`, "latin1")) };
  } catch {
    // no /proc (Windows), or no such process
    return isAlive(pid) ? { pid, startTicks: null } : undefined;
  }
}

/** what takes a program to find out, and does not change */
let self: ProcessIdentity | undefined;

/** This process. */
export function identifySelf(): ProcessIdentity {
  if (psSource !== undefined) {
    self ??= psSource.identify(process.pid) ?? { pid: process.pid, startTicks: null };
    return self;
  }
  try {
    return {
      pid: process.pid,
      startTicks: parseStartTicks(readFileSync("/proc/self/stat", "latin1")),
    };
  } catch {
    // no /proc on this platform: the pid alone has to do
    return { pid: process.pid, startTicks: null };
  }
}

/** Whether the very process that was identified is still there. A zombie is not. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await identifyProcess(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks;
}

/** Pids of the processes that a process's main thread started and that are still there. */
export async function listChildren(pid: number): Promise<readonly number[]> {
  if (psSource !== undefined) {
    const first = psSource.identify(pid);
    return first === undefined
      ? []
      : psSource
          .family(first)
          .slice(1)
          .map((child) => child.pid);
  }
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "latin1").catch(() => "");
  return text.split(" ").filter(Boolean).map(Number);
}

/** Pids of the processes that have this text in an argument. */
export async function findByArgument(text: string): Promise<readonly number[]> {
  if (psSource !== undefined) return psSource.findByArgument(text);
  const names = await readdir("/proc").catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      return command.includes(text) ? [pid] : [];
    }),
  );
  return found.flat();
}

/** The command name may hold spaces and parentheses, so fields count from the last ")". */
function parseStartTicks(stat: string): number | null {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") throw new Error("the process has ended");
  const ticks = Number(fields[19]);
  return Number.isSafeInteger(ticks) ? ticks : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
