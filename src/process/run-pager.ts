/** The person's own pager on the person's terminal: `$PAGER` as every program runs it, by a shell. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createDeferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import { readFamily, signalProcess } from "./process-family.ts";
import { identifyNow } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";

export interface PagerSettings {
  /** as in `$PAGER`, such as `less -S` */
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** where people look: stdout may be a file */
const terminal = 2;
/** a pager that is told to end has this long to tidy up, in `ms` */
const graceMs = 300;

/**
 * Shows the text; resolves when the person leaves, or when the signal ended the pager. The terminal's modes
 * are then as they were. Raises PROCESS_FAILED when the pager cannot be started.
 */
export async function runPager(
  { command, environment }: PagerSettings,
  text: string,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted === true) return;
  const env = { ...environment };
  const modes = stty(["-g"], env);
  const child = spawn("/bin/sh", ["-c", command], { env, stdio: ["pipe", terminal, terminal] });
  const ended = createDeferred<undefined>();
  child.once("error", (cause) => {
    const hint = "unset PAGER to see it here";
    ended.reject(
      new LuminaGuardError("PROCESS_FAILED", "the pager does not start", { hint, cause }),
    );
  });
  child.once("exit", () => ended.resolve(undefined));
  child.stdin?.on("error", () => undefined); // a person leaves before the end
  child.stdin?.end(text);
  using _ending = endOn(signal, child);
  try {
    await ended.promise;
  } finally {
    if (modes !== "") stty([modes], env);
  }
}

/** Ends the pager with the signal; disposing ends what of it does not listen. */
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
  return {
    [Symbol.dispose]: () => {
      signal?.removeEventListener("abort", end);
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
