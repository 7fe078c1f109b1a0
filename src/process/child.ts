/**
 * A long-lived child process: started with exactly the environment and descriptors it is given,
 * watched until it ends. Its stdout is kept as a tail only (a machine's console is hostile and endless).
 * `exited` follows the process's exit, never the closing of its pipes, which a grandchild may hold.
 */
import { spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { createDeferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import { closeInherited } from "./inherited-descriptors.ts";
import { defaultProgramEnv } from "./run-program.ts";
import { createTail } from "./tail.ts";

export interface ChildExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  /** duplex byte channels at descriptor 3 and up, in order */
  readonly channels: readonly Duplex[];
  /** settles once, never rejects */
  readonly exited: Promise<ChildExit>;
  readonly hasExited: () => boolean;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** last 4 KiB of stderr */
  readonly stderrTail: () => string;
  /** last 4 KiB of stdout */
  readonly stdoutTail: () => string;
}

export interface StartChildOptions {
  /** how many duplex channels the child gets from descriptor 3 on
   * @default 0 */
  readonly channels?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a child; rejects with TOOL_MISSING or PROCESS_FAILED when it cannot be started. */
export async function startChild(
  file: string,
  args: readonly string[],
  options: StartChildOptions = {},
): Promise<Child> {
  const extra = Array.from({ length: options.channels ?? 0 }, () => "pipe" as const);
  const child = spawn(file, args, {
    env: { ...(options.env ?? defaultProgramEnv) },
    stdio: closeInherited(["ignore", "pipe", "pipe", ...extra]),
    // a session of its own: no controlling terminal to read from, and no Ctrl-C from it. On Windows it
    // would leave the job object that ends it with this process, and a window would open
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  const stdout = createTail();
  const stderr = createTail();
  child.stdout?.on("data", stdout.push);
  child.stderr?.on("data", stderr.push);
  const exited = createDeferred<ChildExit>();
  let ended = false;
  child.once("exit", (exitCode, signal) => {
    ended = true;
    exited.resolve({ exitCode, signal });
  });
  const channels = child.stdio.slice(3, 3 + extra.length) as Duplex[];
  // a child that dies closes its channels in mid-write; `exited` tells of it
  for (const channel of channels) channel.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new LuminaGuardError(
          error.code === "ENOENT" ? "TOOL_MISSING" : "PROCESS_FAILED",
          `cannot start ${file}: ${error.message}`,
          { cause: error, details: { program: file } },
        ),
      );
    });
  });
  if (child.pid === undefined) throw new Error("a started child has a pid");
  return {
    pid: child.pid,
    channels,
    exited: exited.promise,
    hasExited: () => ended,
    kill: (signal) => void child.kill(signal),
    stderrTail: stderr.text,
    stdoutTail: stdout.text,
  };
}

/** Ends a process that is known to be ours, though not our child. One that is gone already is fine. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Starts a program that may outlive this process; nobody waits for it or hears from it. */
export function startDetached(file: string, args: readonly string[]): void {
  const child = spawn(file, args, {
    env: { ...defaultProgramEnv },
    stdio: "ignore",
    detached: true,
  });
  child.on("error", () => undefined); // best effort: whoever needs its result sees that there is none
  child.unref();
}
