/**
 * A process of ours that outlives this one: a session of its own, no terminal, no input, its stderr in a
 * file. While it starts it says how that goes, line by line, on its stdout.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import type { Readable } from "node:stream";
import { createDeferred } from "../base/deferred.ts";
import { toHostError } from "../base/host-error.ts";
import { LineSplitter } from "../base/line-splitter.ts";
import { LuminaGuardError } from "../errors.ts";
import { closeInherited } from "./inherited-descriptors.ts";
import { defaultProgramEnv } from "./run-program.ts";

export interface StartDaemonOptions {
  /** Each line; whether it was the last that is waited for. A line over 64 KiB is the end of the start. */
  readonly onLine: (line: string) => boolean;
  /** where its stderr goes, added at the end */
  readonly logPath: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** longest start in `ms` */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const lineBytesMax = 64 * 1024;

/**
 * Resolves with its pid when it said the last line. One that ends before, takes too long or is given up
 * by the signal is killed: PROCESS_FAILED, TIMEOUT or the signal's reason.
 */
export async function startDaemon(
  args: readonly string[],
  { onLine, logPath, env, timeoutMs, signal }: StartDaemonOptions,
): Promise<number> {
  signal?.throwIfAborted();
  const log = openLog(logPath);
  const child = spawn(process.execPath, args, {
    env: { ...defaultProgramEnv, ...env },
    cwd: "/",
    stdio: closeInherited(["ignore", "pipe", log]),
    detached: true,
  });
  closeSync(log);
  await once(child, "spawn");
  const { stdout, pid } = child;
  if (stdout === null || pid === undefined) throw new Error("a spawned child has a pid and a pipe");
  const ready = createDeferred<undefined>();
  const fail = (error: unknown): void => ready.reject(error);
  readLines(stdout, (line) => {
    if (onLine(line)) ready.resolve(undefined);
  });
  child.once("exit", (code, killedBy) => {
    const how = killedBy ?? `exit code ${String(code)}`;
    const message = `a supervisor ended while it started (${how})`;
    fail(
      new LuminaGuardError("PROCESS_FAILED", message, { hint: `what it said is in ${logPath}` }),
    );
  });
  const onAbort = (): void => fail(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => {
    fail(new LuminaGuardError("TIMEOUT", `a supervisor took longer than ${timeoutMs / 1000} s`));
  }, timeoutMs);
  try {
    await ready.promise;
    return pid;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    stdout.destroy();
    child.unref();
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw toHostError(error, "a supervisor's log cannot be opened");
  }
}

function readLines(stdout: Readable, onLine: (line: string) => void): void {
  const take = (line: Buffer): void => onLine(line.toString("utf8"));
  const lines = new LineSplitter({ lineBytesMax, onLine: take, onTooLong: take });
  stdout.on("data", (chunk: Buffer) => lines.push(chunk));
  stdout.on("error", () => undefined); // the exit tells of it
}
