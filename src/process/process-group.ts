/**
 * A child that leads a group of its own, signalled together with all that stayed in the group. The
 * group outlives its leader, and so does its number: the kernel gives it to no other process while a
 * member is left (fork(2)), so a process that has it after the leader ended is a stranger.
 *
 * Windows has no groups: there the leader alone is signalled, and every signal ends it.
 */
import type { ChildProcess } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { identifyNow } from "./process-identity.ts";

/** A child that was started, so that it has a number: 0 in its place would mean ourselves (kill(2)). */
export type StartedChild = ChildProcess & { readonly pid: number };

export function isStarted(child: ChildProcess): child is StartedChild {
  return child.pid !== undefined;
}

/** Whether a child that was started has ended. */
export function hasExited(child: StartedChild): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Signals every member; whether there was one. Signal 0 only asks. */
export function signalGroup(leader: StartedChild, signal: NodeJS.Signals | 0): boolean {
  const { pid } = leader;
  if (process.platform === "win32") return !hasExited(leader) && leader.kill(signal);
  if (hasExited(leader) && identifyNow(pid) !== undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    // EPERM: there are members, and all of them became another user's
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether a member runs. One that ended and waits for its parent to hear of it does not. */
export function isGroupRunning(leader: StartedChild): boolean {
  if (!signalGroup(leader, 0)) return false;
  const pids = listProcesses();
  // without /proc the kernel's word has to do
  return pids === undefined || pids.some((pid) => isRunningMember(pid, leader.pid));
}

/** State and group are the first and third field of /proc/PID/stat after the command name. */
function isRunningMember(pid: string, group: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "", , inGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ", 3);
    return Number(inGroup) === group && !"ZX".includes(state);
  } catch {
    return false; // it ended meanwhile
  }
}

function listProcesses(): readonly string[] | undefined {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
}
