/**
 * One QEMU process on Windows. libuv puts each child that is not detached into a job object that kills
 * what is in it when its only handle closes, which it does with this process, however that ends
 * (src/win/process.c). So there is nobody between the two, and no group, user or namespace around it.
 */
import type { Clock } from "../../../base/clock.ts";
import { withDeadline } from "../../../base/deadline.ts";
import { LuminaGuardError, isLuminaGuardError } from "../../../errors.ts";
import { startChild } from "../../../process/child.ts";
import type { Child } from "../../../process/child.ts";
import { createTail } from "../../../process/tail.ts";
import type { VmExit, WirePlace } from "../../hypervisor.ts";
import type { MachineFolder } from "../../register/machine-folder.ts";
import { openLoopback } from "./loopback.ts";
import type { Loopback, LoopbackAddress } from "./loopback.ts";
import { QmpClient } from "./qmp.ts";

export interface WindowsProcess {
  readonly pid: number;
  readonly control: QmpClient;
  /** its one connection, which is there already */
  readonly wire: WirePlace;
  /** settles when the process is gone and the machine's folder removed */
  readonly exited: Promise<VmExit>;
  readonly consoleTail: () => string;
  /** Asks QEMU to end and waits until it has. */
  readonly quit: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

export interface WindowsStart {
  readonly binary: string;
  readonly folder: MachineFolder;
  readonly args: (address: LoopbackAddress) => readonly string[];
  readonly clock?: Clock | undefined;
}

const setUpTimeoutMs = 30_000;
/** longest wait for the end of a process that closed its channels, in `ms` */
const endTimeoutMs = 1_000;

/** Starts QEMU and waits until it has connected. On failure nothing is left behind. */
export async function startOnWindows(
  start: WindowsStart,
  signal?: AbortSignal,
): Promise<WindowsProcess> {
  const { folder } = start;
  let loopback: Loopback | undefined;
  try {
    loopback = await openLoopback(folder.path);
    const child = await startChild(start.binary, start.args(loopback.address));
    return await watch(child, loopback, start, signal);
  } catch (error) {
    loopback?.close();
    await folder.remove();
    throw error;
  }
}

async function watch(
  child: Child,
  loopback: Loopback,
  { folder, clock }: WindowsStart,
  signal?: AbortSignal,
): Promise<WindowsProcess> {
  let requested = false;
  const exited = child.exited.then(async ({ exitCode, signal: killedBy }): Promise<VmExit> => {
    loopback.close();
    const removal = folder.removal();
    await folder.remove();
    if (removal !== undefined) return { requested, reason: removal };
    const how = killedBy === null ? `exit code ${String(exitCode)}` : killedBy;
    return { requested, reason: `the hypervisor ended (${how})${lastLine(child.stderrTail())}` };
  });
  const kill = async (): Promise<void> => {
    requested = true;
    child.kill("SIGKILL");
    await exited;
  };
  try {
    await folder.recordProcess({ pid: child.pid, startTicks: null });
    const { console, control: controlChannel, wire } = loopback.channels;
    const all = withDeadline(Promise.all([console, controlChannel, wire]), {
      timeoutMs: setUpTimeoutMs,
      what: "the hypervisor's connections",
      signal,
      clock,
    });
    const [consoleChannel, channel, wireChannel] = await all;
    const tail = createTail();
    consoleChannel.on("data", tail.push);
    const control = new QmpClient(channel, clock);
    await control.ready(setUpTimeoutMs, signal);
    const quit = async (): Promise<void> => {
      requested = true;
      // it may be gone before it answers: its end is what counts
      control.execute("quit").catch(() => undefined);
      await exited;
    };
    const { pid } = child;
    return { pid, control, wire: () => wireChannel, exited, consoleTail: tail.text, quit, kill };
  } catch (error) {
    const diedFirst = await endedBy(child, error);
    await kill();
    throw diedFirst ? startFailure(child) : error;
  }
}

/** A closed channel is how a death is first seen; the process's own last words say more. */
async function endedBy(child: Child, error: unknown): Promise<boolean> {
  const isDeath =
    isLuminaGuardError(error, "PROCESS_FAILED") || isLuminaGuardError(error, "VM_BOOT_FAILED");
  if (!isDeath) return false;
  const exit = withDeadline(child.exited, {
    timeoutMs: endTimeoutMs,
    what: "the hypervisor's end",
  });
  return exit.then(
    () => true,
    () => false,
  );
}

function startFailure(child: Child): LuminaGuardError {
  const stderr = child.stderrTail();
  return new LuminaGuardError("VM_BOOT_FAILED", `the hypervisor did not start${lastLine(stderr)}`, {
    hint: "luminaguard doctor shows what works on this host",
    details: { stderr },
  });
}

function lastLine(text: string): string {
  const line = text.trim().split(/\r?\n/).at(-1) ?? "";
  return line === "" ? "" : `: ${line}`;
}
