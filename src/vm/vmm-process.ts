/**
 * One hypervisor process inside its walls: started, known by its real pid, in its control groups,
 * recorded for the reaper, and gone with all its files. What it is told then is its backend's affair.
 */
import { readFile, stat } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import { createDeferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import { killProcess, startChild } from "../process/child.ts";
import type { Child } from "../process/child.ts";
import { identifyNow, identifyProcess, listChildren } from "../process/process-identity.ts";
import { readFamily } from "../process/process-family.ts";
import type { ProcessIdentity } from "../process/process-identity.ts";
import { joinGroups, limitsOf, makeGroups, wasOutOfMemory } from "./walls/cgroup.ts";
import { confine } from "./walls/confinement.ts";
import type { ConfinementTools } from "./walls/confinement.ts";
import type { VmExit } from "./hypervisor.ts";
import type { MachineFolder } from "./register/machine-folder.ts";
import type { VmSpec } from "./spec.ts";

export interface VmmStart {
  readonly command: readonly [string, ...string[]];
  /**
   * The command builds its walls itself: it is run as it is, its child is first inside them, and the
   * hypervisor is that one's child by one of these names.
   */
  readonly ownWalls?: { readonly programs: readonly string[] } | undefined;
  readonly spec: VmSpec;
  readonly folder: MachineFolder;
  readonly tools: ConfinementTools;
  readonly readOnly: readonly string[];
  readonly readWrite: readonly string[];
  readonly devices: readonly string[];
  /** where the command starts
   * @default "/" */
  readonly workFolder?: string | undefined;
  /** largest file it may write, in `bytes`
   * @default no bound of its own */
  readonly fileBytesMax?: number | undefined;
  /** duplex channels the process gets from descriptor 3 on */
  readonly channels: number;
  /** descriptors of the two channels that are for whoever builds the walls; none with walls of its own */
  readonly fds?: { readonly info: number; readonly gate: number } | undefined;
  /** the command may start before it is in its control groups: no guest code runs yet */
  readonly startsEarly: boolean;
  /** called while the walls are built: the command itself is not run before it has settled
   * @default at once */
  readonly heldUntil?: (() => Promise<void>) | undefined;
  /** what waits for the hypervisor are counted on */
  readonly clock?: Clock | undefined;
}

export interface VmmProcess {
  /** of the hypervisor itself */
  readonly pid: number;
  readonly channels: readonly Duplex[];
  /** settles when the process is gone and the machine's folder removed */
  readonly exited: Promise<VmExit>;
  /** what the machine last wrote on its console, for error messages */
  readonly consoleTail: () => string;
  /** its end is asked for: when it comes, it is no surprise */
  readonly expectEnd: () => void;
  readonly kill: () => Promise<void>;
  /** Ends a machine that nobody asked to end and that is of no use any more; `exited` gives the reason. */
  readonly giveUp: (reason: string) => Promise<void>;
  /**
   * Runs a step of its start, which fails with VM_BOOT_FAILED and the process's last words when it
   * dies meanwhile. On any failure nothing is left behind.
   */
  readonly orFail: <T>(step: (died: Promise<never>) => Promise<T>) => Promise<T>;
}

/** first descriptor after stdin, stdout and stderr: the first channel's */
const firstFd = 3;
/** pause between two looks for a process's child, in `ms` */
const lookMs = 2;
/** address space beside the machine's memory: the hypervisor, its libraries, threads, translated code */
const overheadBytes = 2 * 1024 ** 3;
/** longest time from a process's kill to its end, in `ms`: its memory is given back in that time */
const killTimeoutMs = 5_000;
const setUpTimeoutMs = 10_000;
/** longest wait for the end of a process that closed its channels, in `ms` */
const endTimeoutMs = 1_000;

/** Starts the command inside its walls. On failure nothing is left behind. */
export async function startVmm(start: VmmStart): Promise<VmmProcess> {
  const { folder, spec } = start;
  const [file, ...args] = await buildCommand(start);
  let child: Child;
  try {
    await makeGroups(folder.groups, limitsOf(spec));
    if (!holdsBack(start)) await start.heldUntil?.();
    child = await startChild(file, args, { channels: start.channels });
  } catch (error) {
    await folder.remove();
    throw error;
  }
  return watch(child, start);
}

/** The bound on a hypervisor's address space, in `bytes`. */
export function addressSpaceOf({ memoryMib }: Pick<VmSpec, "memoryMib">): number {
  return memoryMib * 2 * 1024 ** 2 + overheadBytes;
}

/** Whether the walls are built first and the command waits at them. */
function holdsBack({ fds, tools }: VmmStart): boolean {
  return fds !== undefined && tools.namespaces && tools.tethered !== true;
}

async function buildCommand(start: VmmStart): Promise<readonly [string, ...string[]]> {
  const { folder, spec, tools, fds } = start;
  if (fds === undefined) return start.command;
  return confine(
    {
      command: start.command,
      readOnly: start.readOnly,
      readWrite: [folder.path, ...start.readWrite],
      devices: start.devices,
      workFolder: start.workFolder,
      fileBytesMax: start.fileBytesMax,
      uid: folder.uid,
      groups: await groupsOf(start.devices),
      network: spec.nic !== "none",
      addressSpaceBytesMax: addressSpaceOf(spec),
      channels: start.channels,
      infoFd: fds.info,
      gateFd: fds.gate,
    },
    tools,
  );
}

/** Whoever owns a device lets its group in. */
async function groupsOf(devices: readonly string[]): Promise<readonly number[]> {
  const found = await Promise.all(devices.map((path) => stat(path)));
  return found.map(({ gid }) => gid);
}

async function watch(child: Child, start: VmmStart): Promise<VmmProcess> {
  const { folder, tools, fds } = start;
  const info = fds && child.channels[fds.info - firstFd];
  const gate = fds && child.channels[fds.gate - firstFd];
  /** whose end is the end of everything inside the walls */
  let first: number | undefined;
  let requested = false;
  let givenUp: string | undefined;
  const exited = child.exited.then(async (ended): Promise<VmExit> => {
    const removal = folder.removal();
    const reason = await clearUp(child, start, ended);
    return { requested, reason: removal ?? givenUp ?? reason };
  });
  const end = async (): Promise<void> => {
    // whoever built the walls waits for the process inside and ends after it; killed with it, it could be first
    if (first !== undefined && !child.hasExited()) killProcess(first);
    else child.kill("SIGKILL");
    child.kill("SIGCONT"); // a person may have stopped it
    const timer = setTimeout(() => child.kill("SIGKILL"), killTimeoutMs);
    await exited;
    clearTimeout(timer);
  };
  const kill = (): Promise<void> => {
    requested = true;
    return end();
  };
  const died = child.exited.then(() => Promise.reject(startFailure(child)));
  died.catch(() => undefined); // an end after the start is told by `exited`
  const orFail = async <T>(step: (died: Promise<never>) => Promise<T>): Promise<T> => {
    try {
      return await step(died);
    } catch (error) {
      const diedFirst = await endedBy(child, error);
      await kill();
      throw diedFirst ? startFailure(child) : error;
    }
  };
  const entry = await orFail(async () => {
    const held = holdsBack(start) ? start.heldUntil?.() : undefined;
    held?.catch(() => undefined); // awaited before the command runs
    const identity = await Promise.race([readPid(child, info, start), died]);
    first = identity.pid;
    const joining = joinGroups(folder.groups, first);
    joining.catch(() => undefined); // awaited before the guest runs
    // what boots is held back; what waits to be told may start meanwhile
    if (!start.startsEarly) await joining;
    await held;
    gate?.end("go");
    await folder.recordProcess(identity);
    await joining;
    const { ownWalls, clock } = start;
    if (ownWalls !== undefined) return waitForChild(first, ownWalls.programs, clock);
    return first;
  });
  const isInside = tools.namespaces && start.ownWalls === undefined;
  return {
    get pid() {
      return isInside ? childOf(entry) : entry;
    },
    channels: child.channels,
    exited,
    consoleTail: child.stdoutTail,
    expectEnd: () => {
      requested = true;
    },
    kill,
    giveUp: (reason) => {
      givenUp ??= reason;
      return end();
    },
    orFail,
  };
}

/** Removes what is left of it; why it ended, for a person. */
async function clearUp(
  child: Child,
  { folder, spec }: VmmStart,
  { exitCode, signal }: Awaited<Child["exited"]>,
): Promise<string> {
  for (const channel of child.channels) channel.destroy();
  const tookTooMuch = await wasOutOfMemory(folder.groups);
  await folder.remove();
  if (tookTooMuch) return renderOutOfMemory(spec);
  const how = signal === null ? `exit code ${String(exitCode)}` : signal;
  return `the hypervisor ended (${how})${lastLine(child.stderrTail())}`;
}

/** A closed channel is how a death is first seen; the process's own last words say more. */
async function endedBy(child: Child, error: unknown): Promise<boolean> {
  if (!(error instanceof LuminaGuardError) || error.code !== "PROCESS_FAILED") return false;
  const exit = withDeadline(child.exited, {
    timeoutMs: endTimeoutMs,
    what: "the hypervisor's end",
  });
  return exit.then(
    () => true,
    () => false,
  );
}

/** The walls say who is first inside them, and a tether who is at its end; else the command replaced itself. */
async function readPid(
  child: Child,
  info: Duplex | undefined,
  { tools, ownWalls, clock }: VmmStart,
): Promise<ProcessIdentity> {
  const findFirst = async (): Promise<number> => {
    if (ownWalls !== undefined) return waitForChild(child.pid, undefined, clock);
    const isBehind = tools.namespaces || tools.tethered === true;
    return info !== undefined && isBehind ? readInfo(info, clock) : child.pid;
  };
  const pid = await findFirst();
  const identity = await identifyProcess(pid);
  if (identity === undefined) throw startFailure(child);
  return identity;
}

/** The first process inside is the walls' own and starts the hypervisor, which may not be there yet. */
function childOf(pid: number): number {
  const identity = identifyNow(pid);
  return (identity && readFamily(identity)[1]?.pid) ?? pid;
}

/** Walls of a hypervisor's own say nothing: who is inside is known by its parent and its name. */
async function waitForChild(
  pid: number,
  programs: readonly string[] | undefined,
  clock: Clock | undefined,
): Promise<number> {
  const over = new AbortController();
  const look = async (): Promise<number> => {
    for (;;) {
      for (const child of await listChildren(pid)) {
        const name = await readFile(`/proc/${child}/comm`, "latin1").catch(() => "");
        if (programs?.includes(name.trim()) ?? true) return child;
      }
      await sleep(lookMs, undefined, { signal: over.signal });
    }
  };
  const what = "confining the hypervisor";
  return withDeadline(look(), { timeoutMs: setUpTimeoutMs, what, clock }).finally(() => {
    over.abort();
  });
}

async function readInfo(info: Duplex, clock: Clock | undefined): Promise<number> {
  const pid = createDeferred<number>();
  let text = "";
  info.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const found = /"child-pid":\s*(\d+)/.exec(text);
    if (found !== null) pid.resolve(Number(found[1]));
  });
  return withDeadline(pid.promise, {
    timeoutMs: setUpTimeoutMs,
    what: "confining the hypervisor",
    clock,
  });
}

function startFailure(child: Child): LuminaGuardError {
  return new LuminaGuardError(
    "VM_BOOT_FAILED",
    `the hypervisor did not start${lastLine(child.stderrTail())}`,
    {
      hint: "luminaguard doctor shows what works on this host",
      details: { stderr: child.stderrTail() },
    },
  );
}

function renderOutOfMemory(spec: VmSpec): string {
  const mebibytes = Math.round(limitsOf(spec).memoryBytes / 1024 ** 2);
  return `the hypervisor took more than its limit of ${mebibytes} MiB of memory and was ended`;
}

function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  return line === "" ? "" : `: ${line}`;
}
