/**
 * One vfkit process: started so that it cannot outlive us, recorded for the reaper, asked to end in three
 * steps, and gone with all its files.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { stat, truncate } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { killProcess } from "../../../process/child.ts";
import { identifyProcess } from "../../../process/process-identity.ts";
import { startTethered } from "../../../process/tethered.ts";
import type { Tethered } from "../../../process/tethered.ts";
import { isLuminaGuardError } from "../../../errors.ts";
import type { VmExit } from "../../hypervisor.ts";
import type { MachineFolder } from "../../register/machine-folder.ts";
import type { VfkitPaths } from "./vfkit-args.ts";
import { explainVfkitEnd } from "./vfkit-failure.ts";
import { changeState } from "./vfkit-rest.ts";
import type { StateChange } from "./vfkit-rest.ts";

export interface VfkitProcess {
  readonly pid: number;
  /** settles when the process is gone and the machine's folder removed */
  readonly exited: Promise<VmExit>;
  /** why it ended by itself, for whoever waits for its machine */
  readonly explainEnd: (consoleTail: string) => Error;
  /** what the machine last wrote on its console, for error messages */
  readonly consoleTail: () => string;
  /** Asks the guest to end, then the framework, then takes it; resolves when it is gone. */
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

/** how long the guest has to end by itself, and then the framework to end it, in `ms` */
const stopSteps: readonly { readonly change: StateChange; readonly waitMs: number }[] = [
  // Debian's cloud kernels have no driver for the button that this presses; others may
  { change: "Stop", waitMs: 250 },
  { change: "HardStop", waitMs: 1_000 },
];
/** longest time from a process's kill to its end, in `ms`: its memory is given back in that time */
const killTimeoutMs = 5_000;

/** Starts vfkit. On failure nothing is left behind. */
export async function startVfkit(
  binary: string,
  args: readonly string[],
  paths: VfkitPaths,
  folder: MachineFolder,
): Promise<VfkitProcess> {
  let child: Tethered;
  try {
    child = await startTethered(binary, args);
  } catch (error) {
    await folder.remove();
    if (!isLuminaGuardError(error, "PROCESS_FAILED")) throw error;
    throw explainVfkitEnd({ path: binary, stderr: error.message, signal: null });
  }
  const vfkit = watch(binary, child, paths, folder);
  try {
    const identity = await identifyProcess(child.pid);
    if (identity !== undefined) await folder.recordProcess(identity);
    return vfkit;
  } catch (error) {
    await vfkit.kill();
    throw error;
  }
}

function watch(
  binary: string,
  child: Tethered,
  paths: VfkitPaths,
  folder: MachineFolder,
): VfkitProcess {
  let requested = false;
  let lastSignal: string | null = null;
  const console = keepConsole(paths.console);
  const exited = child.exited.then(async ({ exitCode, signal }): Promise<VmExit> => {
    lastSignal = signal;
    const removal = folder.removal();
    console.end();
    await folder.remove();
    if (removal !== undefined) return { requested, reason: removal };
    const how = signal ?? `exit code ${String(exitCode)}`;
    const said = child.stderrTail().trim().split("\n").at(-1) ?? "";
    return { requested, reason: `vfkit ended (${how})${said === "" ? "" : `: ${said}`}` };
  });
  const kill = async (): Promise<void> => {
    requested = true;
    child.cut();
    const late = setTimeout(() => {
      if (!child.hasExited()) killProcess(child.pid);
    }, killTimeoutMs);
    await exited;
    clearTimeout(late);
  };
  const stop = async (): Promise<void> => {
    requested = true;
    for (const { change, waitMs } of stopSteps) {
      const isAsked = await changeState(paths.rest, change).then(
        () => true,
        () => false, // it does not answer, or the machine cannot do that now: the next step is stronger
      );
      if (!isAsked) continue;
      const gone = exited.then(() => true);
      if (await Promise.race([gone, sleep(waitMs, false, { ref: false })])) return;
    }
    await kill();
  };
  const explainEnd = (consoleTail: string): Error =>
    explainVfkitEnd({
      ...{ path: binary, stderr: child.stderrTail(), signal: lastSignal },
      console: consoleTail,
    });
  return { pid: child.pid, exited, explainEnd, consoleTail: console.tail, stop, kill };
}

interface Console {
  readonly tail: () => string;
  readonly end: () => void;
}

const tailBytes = 4096;
/** room on disk that a console may take between two looks at it, in `bytes` */
const consoleBytesMax = 4 * 1024 ** 2;
const lookMs = 1_000;

/**
 * The framework writes a machine's console to a file and knows no limit; the guest may write on it for
 * ever. What is in the file is given back when it is too much: later lines go behind the hole.
 */
function keepConsole(path: string): Console {
  let lastTail = "";
  const look = async (): Promise<void> => {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.blocks * 512 > consoleBytesMax) await truncate(path, 0);
  };
  const timer = setInterval(() => void look().catch(() => undefined), lookMs);
  timer.unref();
  const tail = (): string => {
    lastTail = readTail(path) ?? lastTail;
    return lastTail;
  };
  return {
    tail,
    end: () => {
      clearInterval(timer);
      tail();
    },
  };
}

/** Undefined when there is no console yet, or no more. */
function readTail(path: string): string | undefined {
  try {
    const file = openSync(path, "r");
    try {
      const from = Math.max(0, fstatSync(file).size - tailBytes);
      const buffer = Buffer.alloc(tailBytes);
      const bytes = readSync(file, buffer, 0, tailBytes, from);
      return buffer.toString("utf8", 0, bytes).replaceAll("\0", "");
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
