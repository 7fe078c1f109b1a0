/** What the kernel says of a process on the host. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { identifyProcess, isRunning, listChildren } from "../../src/process/process-identity.ts";
import type { ProcessIdentity } from "../../src/process/process-identity.ts";
import { eventually } from "./eventually.ts";

export function readStatus(pid: number): ReadonlyMap<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").trim().split("\n");
  return new Map(
    lines.map((line): [string, string] => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
}

/** Resident memory in `bytes`. */
export function residentBytes(pid: number): number {
  return Number.parseInt(readStatus(pid).get("VmRSS") ?? "0", 10) * 1024;
}

export interface OpenDescriptor {
  readonly number: number;
  readonly target: string;
}

export function listDescriptors(pid: number): readonly OpenDescriptor[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [{ number: Number(name), target: readlinkSync(`/proc/${pid}/fd/${name}`) }];
    } catch {
      return []; // closed meanwhile
    }
  });
}

/** The hypervisor processes of the machines in a runtime folder, as their records name them. */
export async function listVmms(runtimeDir: string): Promise<readonly ProcessIdentity[]> {
  const names = listFolder(runtimeDir).filter((name) => /^vm-[0-9a-f]+\.json$/.test(name));
  const found = await Promise.all(names.map((name) => readVmm(join(runtimeDir, name))));
  return found.filter((vmm) => vmm !== undefined);
}

async function readVmm(recordPath: string): Promise<ProcessIdentity | undefined> {
  try {
    const { vmm } = JSON.parse(readFileSync(recordPath, "utf8")) as { vmm?: ProcessIdentity };
    // the record names the first process inside the walls; the hypervisor is its child
    return vmm && (await identifyProcess((await listChildren(vmm.pid))[0] ?? vmm.pid));
  } catch {
    return undefined; // not written yet, or removed
  }
}

function listFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // not made yet
  }
}

/** Resolves when every process is gone. */
export async function areGone(
  processes: readonly ProcessIdentity[],
  timeoutMs: number,
): Promise<void> {
  await eventually(
    `the processes ${processes.map(({ pid }) => pid).join(", ")} are gone`,
    async () => {
      const running = await Promise.all(processes.map(isRunning));
      return !running.includes(true);
    },
    timeoutMs,
  );
}

/** The process and everything it started that is still there. */
export async function listFamily(pid: number): Promise<readonly ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const identity = await identifyProcess(next);
    if (identity === undefined) continue;
    found.push(identity);
    waiting.push(...(await listChildren(next)));
  }
  return found;
}

/** The processes of a session, such as what a terminal shows; not what left it for a session of its own. */
export async function listSession(leader: number): Promise<readonly ProcessIdentity[]> {
  const pids = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && sessionOf(pid) === leader);
  const found = await Promise.all(pids.map(identifyProcess));
  return found.filter((identity) => identity !== undefined);
}

/** proc(5): the fourth field after the name, which may hold anything, is the session. */
function sessionOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
  } catch {
    return undefined; // it has ended
  }
}

/** Largest resident memory of a process in `bytes`, looked at while `work` goes on. */
export async function peakResidentBytes(pid: number, work: Promise<unknown>): Promise<number> {
  let peak = 0;
  const timer = setInterval(() => {
    try {
      peak = Math.max(peak, residentBytes(pid));
    } catch {
      return; // it has ended
    }
  }, 20);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return peak;
}
