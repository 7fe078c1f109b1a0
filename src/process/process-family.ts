/**
 * A process with all it started, looked at and signalled at once: between the look and the signal
 * nothing of ours comes, so a number that was given to another process meanwhile is not hit.
 */
import { readFileSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { identifyNow } from "./process-identity.ts";
import type { ProcessIdentity, ProcessState } from "./process-source.ts";
import { psSource } from "./ps-source.ts";

/**
 * Stopped is a process of which every thread is, or comes to no code of its own before it is: one that
 * waits in the kernel (D) while the stop is on its way, such as for a child of vfork(2) that was stopped.
 */
export function stateOf(process: ProcessIdentity): ProcessState {
  if (psSource !== undefined) return psSource.stateOf(process);
  if (!isThere(process)) return "gone";
  if (process.startTicks === null) return "unknown";
  const threads = list(`/proc/${process.pid}/task`).map((thread) =>
    stateLetter(`/proc/${process.pid}/task/${thread}/stat`),
  );
  const going = threads.filter((letter) => letter !== undefined && !"ZX".includes(letter));
  if (going.length === 0) return "gone";
  const waiting = going.filter((letter) => letter === "D");
  const stopped = going.filter((letter) => letter === "T" || letter === "t");
  if (waiting.length + stopped.length < going.length) return "running";
  return stopped.length > 0 || isStopPending(process.pid) ? "stopped" : "running";
}

/** SIGSTOP among the signals that wait for the process as a whole (proc_pid_status(5)) */
function isStopPending(pid: number): boolean {
  const pending = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  const bit = 1n << BigInt(constants.signals.SIGSTOP - 1);
  return pending !== undefined && (BigInt(`0x${pending}`) & bit) !== 0n;
}

/** The process and everything it started that is still there, each before what it started. */
export function readFamily(first: ProcessIdentity): readonly ProcessIdentity[] {
  if (psSource !== undefined) return psSource.family(first);
  const found: ProcessIdentity[] = [];
  const waiting = isThere(first) ? [first] : [];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    found.push(next);
    waiting.push(...childrenOf(next.pid));
  }
  return found;
}

/** Sends a signal to that very process; whether it was there and took it. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isThere(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false; // it ended, it is another user's, or the platform has no such signal
  }
}

/** The words a process was started with; none when it cannot be read. */
export function readCommand(pid: number): readonly string[] {
  if (psSource !== undefined) return psSource.command(pid);
  return read(`/proc/${pid}/cmdline`)?.split("\0").slice(0, -1) ?? [];
}

function isThere({ pid, startTicks }: ProcessIdentity): boolean {
  return identifyNow(pid)?.startTicks === startTicks;
}

/** most readings of one list of children */
const readingsMax = 8;

/**
 * Any thread may have started a process. A list that is read while another child ends may leave some
 * out (proc_pid_children(5)), so it is read until it says the same twice.
 */
function childrenOf(pid: number): readonly ProcessIdentity[] {
  let listed = listChildrenOnce(pid);
  for (let reading = 1; reading < readingsMax; reading += 1) {
    const again = listChildrenOnce(pid);
    if (again === listed) break;
    listed = again;
  }
  const pids = listed.split(" ").filter(Boolean).map(Number);
  return pids.map(identifyNow).filter((child) => child !== undefined);
}

function listChildrenOnce(pid: number): string {
  const threads = list(`/proc/${pid}/task`);
  return threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`) ?? "").join(" ");
}

/** The command name may hold spaces and parentheses, so the letter is what follows the last ")". */
function stateLetter(path: string): string | undefined {
  const text = read(path);
  return text?.[text.lastIndexOf(")") + 2];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // it ended, or there is no /proc here
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // as above
  }
}
