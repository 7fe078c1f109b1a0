/**
 * One QEMU process inside its walls: started, known by its real pid, recorded for the reaper, and
 * gone with all its files. Booting and cloning differ only in the arguments and the state handed in.
 */
import { chmod, stat } from "node:fs/promises";
import type { Duplex } from "node:stream";
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { createDeferred } from "../../../base/deferred.ts";
import { LuminaGuardError, isLuminaGuardError } from "../../../errors.ts";
import { killProcess, startChild } from "../../../process/child.ts";
import type { Child } from "../../../process/child.ts";
import { identifyProcess, listChildren } from "../../../process/process-identity.ts";
import type { ProcessIdentity } from "../../../process/process-identity.ts";
import { joinGroups, limitsOf, makeGroups, wasOutOfMemory } from "../../cgroup.ts";
import { confine } from "../../confinement.ts";
import type { ConfinementTools } from "../../confinement.ts";
import type { VmExit } from "../../hypervisor.ts";
import type { MachineFolder } from "../../machine-folder.ts";
import type { VmSpec } from "../../spec.ts";
import { qemuFds } from "./qemu-args.ts";
import { thaw } from "./freeze.ts";
import { QmpClient } from "./qmp.ts";

export interface QemuProcess {
  readonly pid: number;
  readonly control: QmpClient;
  /** where device state goes out, in the machine's own folder */
  readonly statePath: string;
  /** settles when the process is gone and the machine's folder removed */
  readonly exited: Promise<VmExit>;
  /** what the machine last wrote on its console, for error messages */
  readonly consoleTail: () => string;
  /** Asks QEMU to end and waits until it has. */
  readonly quit: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

export interface QemuStart {
  readonly binary: string;
  readonly args: readonly string[];
  readonly spec: VmSpec;
  readonly folder: MachineFolder;
  readonly tools: ConfinementTools;
  readonly readOnly: readonly string[];
  readonly readWrite: readonly string[];
  readonly devices: readonly string[];
  /** device state of a frozen machine, which this one becomes */
  readonly incomingState?: Buffer | undefined;
  /** what waits for the hypervisor are counted on */
  readonly clock?: Clock | undefined;
}

/** address space beside the machine's memory: QEMU itself, its libraries, threads, translated code */
const overheadBytes = 2 * 1024 ** 3;
/** longest time from a process's kill to its end, in `ms`: its memory is given back in that time */
const killTimeoutMs = 5_000;
const setUpTimeoutMs = 10_000;

/** Starts QEMU and waits until its sockets listen. On failure nothing is left behind. */
export async function startQemu(start: QemuStart, signal?: AbortSignal): Promise<QemuProcess> {
  const { folder, spec, tools } = start;
  const [file, ...args] = confine(
    {
      command: [start.binary, ...start.args],
      readOnly: start.readOnly,
      readWrite: [folder.path, ...start.readWrite],
      devices: start.devices,
      uid: folder.uid,
      groups: await groupsOf(start.devices),
      addressSpaceBytesMax: spec.memoryMib * 2 * 1024 ** 2 + overheadBytes,
      infoFd: qemuFds.info,
      gateFd: qemuFds.gate,
    },
    tools,
  );
  let child: Child;
  try {
    await makeGroups(folder.groups, limitsOf(spec));
    child = await startChild(file, args, { channels: start.incomingState === undefined ? 3 : 4 });
  } catch (error) {
    await folder.remove();
    throw error;
  }
  return watch(child, start, signal);
}

/** Whoever owns a device lets its group in. */
async function groupsOf(devices: readonly string[]): Promise<readonly number[]> {
  const found = await Promise.all(devices.map((path) => stat(path)));
  return found.map(({ gid }) => gid);
}

async function watch(child: Child, start: QemuStart, signal?: AbortSignal): Promise<QemuProcess> {
  const { folder, tools } = start;
  const [info, controlChannel, gate, stateChannel] = child.channels;
  if (info === undefined || controlChannel === undefined || gate === undefined) {
    throw new Error("three channels were asked for");
  }
  const control = new QmpClient(controlChannel, start.clock);
  const statePath = `${folder.path}/state.sock`;
  /** whose end is the end of everything inside the walls */
  let first: number | undefined;
  let requested = false;
  const exited = child.exited.then(async ({ exitCode, signal: killedBy }): Promise<VmExit> => {
    for (const channel of child.channels) channel.destroy();
    const removal = folder.removal();
    const tookTooMuch = await wasOutOfMemory(folder.groups);
    await folder.remove();
    if (removal !== undefined) return { requested, reason: removal };
    if (tookTooMuch) return { requested, reason: renderOutOfMemory(start.spec) };
    const how = killedBy === null ? `exit code ${String(exitCode)}` : killedBy;
    return { requested, reason: `the hypervisor ended (${how})${lastLine(child.stderrTail())}` };
  });
  const quit = async (): Promise<void> => {
    requested = true;
    // it may be gone before it answers: its end is what counts
    control.execute("quit").catch(() => undefined);
    await exited;
  };
  const kill = async (): Promise<void> => {
    requested = true;
    // whoever built the walls waits for the process inside and ends after it; killed with it, it could be first
    if (first !== undefined && !child.hasExited()) killProcess(first);
    else child.kill("SIGKILL");
    child.kill("SIGCONT"); // a person may have stopped it
    const timer = setTimeout(() => child.kill("SIGKILL"), killTimeoutMs);
    await exited;
    clearTimeout(timer);
  };
  try {
    const died = child.exited.then(() => Promise.reject(startFailure(child)));
    const identity = await Promise.race([readPid(child, info, start), died]);
    first = identity.pid;
    const joining = joinGroups(folder.groups, first);
    joining.catch(() => undefined); // awaited before the guest runs
    // a clone waits for its state, so it may load meanwhile; what boots is held back
    if (start.incomingState === undefined) await joining;
    gate.end("go");
    await folder.recordProcess(identity);
    await joining;
    const thawing = thawInto(stateChannel, control, start.incomingState);
    thawing.catch(() => undefined); // awaited below, once the hypervisor is ready
    await Promise.race([control.ready(setUpTimeoutMs, signal), died]);
    // root made it for the machine's own user: nobody else may speak on the wire
    await chmod(`${folder.path}/wire.sock`, 0o600);
    const pid = tools.namespaces ? ((await listChildren(first))[0] ?? first) : first;
    await thawing;
    return { pid, control, statePath, exited, consoleTail: child.stdoutTail, quit, kill };
  } catch (error) {
    const diedFirst = await endedBy(child, error);
    await kill();
    throw diedFirst ? startFailure(child) : error;
  }
}

async function thawInto(
  channel: Duplex | undefined,
  control: QmpClient,
  state: Buffer | undefined,
): Promise<void> {
  if (channel !== undefined && state !== undefined) await thaw(control, channel, state);
}

/** A closed control channel is how a death is first seen; the process's own last words say more. */
async function endedBy(child: Child, error: unknown): Promise<boolean> {
  if (!isLuminaGuardError(error, "PROCESS_FAILED")) return false;
  const exit = withDeadline(child.exited, { timeoutMs: 1_000, what: "the hypervisor's end" });
  return exit.then(
    () => true,
    () => false,
  );
}

/** The walls say who is first inside them; without namespaces the command replaced itself and the pid stays. */
async function readPid(
  child: Child,
  info: Duplex,
  { tools, clock }: QemuStart,
): Promise<ProcessIdentity> {
  const pid = tools.namespaces ? await readInfo(info, clock) : child.pid;
  const identity = await identifyProcess(pid);
  if (identity === undefined) throw startFailure(child);
  return identity;
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
