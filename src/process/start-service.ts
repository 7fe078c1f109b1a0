/**
 * A child that serves over its stdin and stdout. It leads a session and a group of its own, gets the
 * environment it is given and nothing else, and is ended with everything it started:
 *
 *   stop(graceMs): close stdin ─ graceMs ─▶ SIGTERM to the group ─ graceMs ─▶ SIGKILL to the group
 *
 * A leader that ends unasked takes its group with it at once. Its stderr is kept as a tail only.
 */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { createDeferred } from "../base/deferred.ts";
import { LineSplitter } from "../base/line-splitter.ts";
import { LuminaGuardError } from "../errors.ts";
import type { ChildExit } from "./child.ts";
import { closeInherited } from "./inherited-descriptors.ts";
import { killAtExit } from "./kill-at-exit.ts";
import { hasExited, isStarted, signalGroup } from "./process-group.ts";
import type { StartedChild } from "./process-group.ts";
import { stopService } from "./stop-service.ts";
import { createTail } from "./tail.ts";

export interface StartServiceOptions {
  /** all the environment it gets */
  readonly env: Readonly<Record<string, string>>;
  /** folder it starts in
   * @default this process's */
  readonly cwd?: string | undefined;
  /** each line of its stderr, without line end and cut at 8 KiB; hostile text */
  readonly onStderrLine?: ((line: string) => void) | undefined;
}

export interface Service {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** settles once when the leader has exited, never rejects */
  readonly exited: Promise<ChildExit>;
  /** settles after that, when its pipes were read to their ends or half a second has passed */
  readonly closed: Promise<ChildExit>;
  readonly hasExited: () => boolean;
  /** last 4 KiB of stderr */
  readonly stderrTail: () => string;
  /** Asks, then takes: settles when nothing of the group is left. Asking twice is harmless.
   * @param graceMs wait in `ms` before each harder step */
  readonly stop: (graceMs: number) => Promise<ChildExit>;
  /** Takes the group at once. */
  readonly kill: () => void;
}

type ServiceProcess = StartedChild & ChildProcessByStdio<Writable, Readable, Readable>;

const stderrLineBytesMax = 8192;
/** longest wait for what was written before the exit, in `ms`: a process that left the group may hold the pipes */
const drainMs = 500;

/** Starts a service. Rejects with TOOL_MISSING when there is no such program, else PROCESS_FAILED. */
export async function startService(
  file: string,
  args: readonly string[],
  options: StartServiceOptions,
): Promise<Service> {
  const child = await spawnService(file, args, options);
  const exited = createDeferred<ChildExit>();
  child.once("exit", (exitCode, signal) => exited.resolve({ exitCode, signal }));
  const stderr = createTail();
  child.stderr.on("data", stderr.push);
  if (options.onStderrLine !== undefined) readLines(child.stderr, options.onStderrLine);
  for (const pipe of [child.stdin, child.stdout, child.stderr]) {
    pipe.on("error", () => undefined); // it dies in mid-write; `exited` tells of it
  }
  killAtExit(child);
  let stopping: Promise<ChildExit> | undefined;
  const closed = exited.promise.then(async (exit) => {
    if (stopping === undefined) signalGroup(child, "SIGKILL"); // else stop() sees to the rest
    await drain(child);
    return exit;
  });
  return {
    pid: child.pid,
    stdin: child.stdin,
    stdout: child.stdout,
    exited: exited.promise,
    closed,
    hasExited: () => hasExited(child),
    stderrTail: stderr.text,
    stop: (graceMs) => (stopping ??= stopService(child, graceMs).then(() => closed)),
    kill: () => void signalGroup(child, "SIGKILL"),
  };
}

async function spawnService(
  file: string,
  args: readonly string[],
  { cwd, env }: StartServiceOptions,
): Promise<ServiceProcess> {
  try {
    const child = spawn(file, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...env },
      stdio: closeInherited(["pipe", "pipe", "pipe"]),
      detached: process.platform !== "win32", // there it would open a window
      windowsHide: true,
    });
    await once(child, "spawn");
    child.on("error", () => undefined); // a signal that could not be sent
    if (isStarted(child)) return child as ServiceProcess;
    throw new Error("it has no number");
  } catch (error) {
    throw startError(file, cwd, error as NodeJS.ErrnoException);
  }
}

function readLines(stderr: Readable, onStderrLine: (line: string) => void): void {
  const onLine = (line: Buffer): void => onStderrLine(line.toString("utf8"));
  const lines = new LineSplitter({
    lineBytesMax: stderrLineBytesMax,
    onLine,
    onTooLong: onLine,
  });
  stderr.on("data", (chunk: Buffer) => lines.push(chunk));
  stderr.once("end", () => lines.end());
}

async function drain(child: ServiceProcess): Promise<void> {
  const pipes = [child.stdout, child.stderr];
  const timer = setTimeout(() => pipes.forEach((pipe) => pipe.destroy()), drainMs);
  const open = pipes.filter((pipe) => !pipe.closed);
  await Promise.all(open.map((pipe) => once(pipe, "close")));
  clearTimeout(timer);
  child.stdin.destroy();
}

function startError(
  file: string,
  cwd: string | undefined,
  error: NodeJS.ErrnoException,
): LuminaGuardError {
  // a missing folder is reported as if the program were missing
  if (error.code === "ENOENT" && cwd !== undefined && !existsSync(cwd)) {
    const message = `cannot start ${file}: there is no folder ${cwd}`;
    return new LuminaGuardError("PROCESS_FAILED", message, { cause: error, details: { cwd } });
  }
  return new LuminaGuardError(
    error.code === "ENOENT" ? "TOOL_MISSING" : "PROCESS_FAILED",
    `cannot start ${file}: ${error.message}`,
    { cause: error, details: { program: file } },
  );
}
