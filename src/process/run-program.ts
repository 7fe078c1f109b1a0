/**
 * Runs a helper program to its end and gives back what it printed. For programs whose output is
 * small; `streamProgram` is for the rest. Both kill the program when the caller aborts or the time
 * is up, and neither hands it the host's environment: `env` is all it gets.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { createDeferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import { escapeCommand } from "./escape-command.ts";
import { createTail } from "./tail.ts";

export interface RunProgramOptions {
  readonly signal?: AbortSignal | undefined;
  /** longest run in `ms`
   * @default 60_000 */
  readonly timeoutMs?: number;
  readonly cwd?: string;
  /** @default only PATH, LANG=C.UTF-8 */
  readonly env?: Readonly<Record<string, string>>;
  /** bytes given on stdin; without them stdin is the null device */
  readonly input?: Uint8Array | string;
  /** largest stdout kept, in `bytes`; more is PROCESS_FAILED
   * @default 64 MiB */
  readonly outputBytesMax?: number;
  /** a non-zero exit is a result and not an error
   * @default false */
  readonly allowFailure?: boolean;
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  /** last 4 KiB of stderr */
  readonly stderr: string;
}

export interface ProgramStream {
  readonly stdout: Readable;
  /** settles when the program ended; rejects with PROCESS_FAILED, TOOL_MISSING or TIMEOUT */
  readonly done: Promise<void>;
}

/** On Windows libuv adds what no program there does without (SystemRoot and its like), and no more. */
export const defaultProgramEnv: Readonly<Record<string, string>> =
  process.platform === "win32"
    ? {}
    : { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };
const defaultTimeoutMs = 60_000;
const defaultOutputBytesMax = 64 * 1024 * 1024;

export async function runProgram(
  file: string,
  args: readonly string[],
  options: RunProgramOptions = {},
): Promise<ProgramResult> {
  const outputBytesMax = options.outputBytesMax ?? defaultOutputBytesMax;
  const started = start(file, args, options);
  const chunks: Buffer[] = [];
  let bytes = 0;
  started.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= outputBytesMax) chunks.push(chunk);
    else started.giveUp(failure(file, args, `printed over ${outputBytesMax} bytes`, ""));
  });
  const { exitCode, stderr } = await started.ended;
  if (exitCode !== 0 && options.allowFailure !== true) {
    throw failure(file, args, `ended with exit code ${exitCode}`, stderr);
  }
  return { exitCode, stdout: Buffer.concat(chunks), stderr };
}

/** Starts a program whose stdout is read as it comes; reading slowly slows the program. */
export function streamProgram(
  file: string,
  args: readonly string[],
  options: Omit<RunProgramOptions, "outputBytesMax" | "allowFailure"> = {},
): ProgramStream {
  const started = start(file, args, options);
  const done = started.ended.then(({ exitCode, stderr }) => {
    if (exitCode !== 0) throw failure(file, args, `ended with exit code ${exitCode}`, stderr);
  });
  done.catch(() => started.stdout.destroy());
  return { stdout: started.stdout, done };
}

interface Started {
  readonly stdout: Readable;
  /** ends the program and every wait for it */
  readonly giveUp: (reason: unknown) => void;
  readonly ended: Promise<{ exitCode: number; stderr: string }>;
}

function start(file: string, args: readonly string[], options: RunProgramOptions): Started {
  const { signal, timeoutMs = defaultTimeoutMs, cwd, env = defaultProgramEnv, input } = options;
  signal?.throwIfAborted();
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...env },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const tail = createTail();
  child.stderr?.on("data", tail.push);
  if (input !== undefined && child.stdin !== null) {
    child.stdin.on("error", () => undefined); // the program may end without reading its input
    child.stdin.end(input);
  }
  if (child.stdout === null) throw new Error("a piped stdout is always there");
  const ended = watch(child, (error) => startError(file, args, error));
  const giveUp = (reason: unknown): void => {
    child.kill("SIGKILL");
    ended.reject(reason);
    // a grandchild may hold the pipes: nobody reads them any more
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const onAbort = (): void => giveUp(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => {
    const message = `${file} took longer than ${timeoutMs / 1000} s`;
    giveUp(new LuminaGuardError("TIMEOUT", message, { details: { stderr: tail.text() } }));
  }, timeoutMs);
  const end = ended.promise
    .then(({ code, killedBy }) => {
      if (code !== null) return { exitCode: code, stderr: tail.text() };
      throw failure(file, args, `was ended by ${String(killedBy)}`, tail.text());
    })
    .finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    });
  return { stdout: child.stdout, giveUp, ended: end };
}

interface End {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
}

function watch(
  child: ChildProcess,
  describe: (error: NodeJS.ErrnoException) => LuminaGuardError,
): Deferred<End> {
  const ended = createDeferred<End>();
  child.once("error", (error) => ended.reject(describe(error)));
  child.once("close", (code, killedBy) => ended.resolve({ code, killedBy }));
  return ended;
}

function startError(
  file: string,
  args: readonly string[],
  error: NodeJS.ErrnoException,
): LuminaGuardError {
  if (error.code === "ENOENT") {
    return new LuminaGuardError("TOOL_MISSING", `the program ${file} is not installed`, {
      hint: "luminaguard doctor names the package that has it",
      details: { program: file },
      cause: error,
    });
  }
  return failure(file, args, error.message, "", error);
}

function failure(
  file: string,
  args: readonly string[],
  what: string,
  stderr: string,
  cause?: unknown,
): LuminaGuardError {
  const lastLine = stderr.trim().split("\n").at(-1) ?? "";
  return new LuminaGuardError("PROCESS_FAILED", `${file} ${what}${lastLine && `: ${lastLine}`}`, {
    details: { command: escapeCommand([file, ...args]), stderr },
    cause,
  });
}
