/** A program of the person's own on the person's terminal, as every program runs it: by a shell. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess, StdioPipe } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { createDeferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import { readFamily, signalProcess } from "./process-family.ts";
import { identifyNow } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";

export interface TerminalProgram {
  /** as in `$PAGER`, such as `less -S` */
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface TerminalRun {
  /** `$1` and so on of the command */
  readonly words?: readonly string[];
  /** @default the person's keyboard */
  readonly input?: string;
  /** what to do when it does not start */
  readonly hint: string;
  readonly signal?: AbortSignal | undefined;
}

/** where people look: stdout may be a file */
const terminal = 2;
/** a program that is told to end has this long to tidy up, in `ms` */
const graceMs = 300;

/**
 * Resolves with the exit code when the person leaves, with null when the signal ended it. The terminal's
 * modes are then as they were. Raises PROCESS_FAILED when it cannot be started.
 */
export async function runOnTerminal(
  { command, environment }: TerminalProgram,
  { words = [], input, hint, signal }: TerminalRun,
): Promise<number | null> {
  if (signal?.aborted === true) return null;
  const env = { ...environment };
  const modes = stty(["-g"], env);
  const keyboard = input === undefined ? openKeyboard() : undefined;
  const stdin: StdioPipe | number = input === undefined ? (keyboard ?? terminal) : "pipe";
  const ended = createDeferred<number | null>();
  const stdio = [stdin, terminal, terminal];
  const child = spawn("/bin/sh", ["-c", command, "sh", ...words], { env, stdio });
  child.once("error", (cause) => {
    ended.reject(
      new LuminaGuardError("PROCESS_FAILED", "the program does not start", { hint, cause }),
    );
  });
  child.once("exit", (exitCode) => ended.resolve(exitCode));
  child.stdin?.on("error", () => undefined); // a person leaves before the end
  child.stdin?.end(input);
  using _keys = leaveKeys();
  using _ending = endOn(signal, child);
  try {
    return await ended.promise;
  } finally {
    if (keyboard !== undefined) closeSync(keyboard);
    if (modes !== "") stty([modes], env);
  }
}

/** stdin may be a file, and stderr may be open for writing only. */
function openKeyboard(): number | undefined {
  try {
    return openSync("/dev/tty", constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    return undefined; // no controlling terminal: then it has no keys
  }
}

/** Ctrl-C is meant for the program that has the terminal, not for the one that waits for it. */
function leaveKeys(): Disposable {
  const ours = process.listeners("SIGINT");
  const leave = (): void => undefined;
  process.removeAllListeners("SIGINT").on("SIGINT", leave);
  return {
    [Symbol.dispose]: () => {
      process.off("SIGINT", leave);
      for (const listener of ours) process.on("SIGINT", listener);
    },
  };
}

/** Ends it with the signal; disposing ends what of it does not listen. */
function endOn(signal: AbortSignal | undefined, child: ChildProcess): Disposable {
  let family: readonly ProcessIdentity[] = [];
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    for (const each of family) signalProcess(each, "SIGKILL");
  };
  const end = (): void => {
    const shell = identifyNow(child.pid ?? 0);
    family = shell === undefined ? [] : readFamily(shell);
    // the shell ends by itself when what it started has put the terminal in order
    const told = family.length > 1 ? family.slice(1) : family;
    for (const each of told) signalProcess(each, "SIGTERM");
    timer = setTimeout(kill, graceMs);
  };
  signal?.addEventListener("abort", end, { once: true });
  // one that is stopped by Ctrl-Z could not be woken by anybody
  process.once("SIGTSTP", end);
  return {
    [Symbol.dispose]: () => {
      signal?.removeEventListener("abort", end);
      process.off("SIGTSTP", end);
      clearTimeout(timer);
      kill();
    },
  };
}

/** What `stty` says; "" where there is no terminal, or no `stty`. */
function stty(words: readonly string[], env: Readonly<Record<string, string>>): string {
  const stdio = [terminal, "pipe", "ignore"] as const;
  const done = spawnSync("stty", words, { env, stdio: [...stdio], encoding: "utf8" });
  return done.error === undefined ? done.stdout.trim() : "";
}
