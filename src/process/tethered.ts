/**
 * A child that ends with this process however this process ends, on platforms that have no parent-death
 * signal: a small process between the two holds one end of a pipe, and kills the child when the other
 * end is gone (bin/tether.mjs). It costs one Node process for each child.
 */
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../base/package-root.ts";
import { withDeadline } from "../base/deadline.ts";
import { createDeferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import { startChild } from "./child.ts";
import type { Child } from "./child.ts";

export interface Tethered extends Omit<Child, "kill" | "channels" | "pid"> {
  /** the program's own, not that of the process between */
  readonly pid: number;
  /** Ends the program; `exited` tells when. */
  readonly cut: () => void;
}

const tetherPath = fileURLToPath(new URL("bin/tether.mjs", packageRoot));

/**
 * The command that runs another one tethered. Descriptor 3 is the tether, where the pid is said as
 * bubblewrap says it (`"child-pid": N`); `channels` more are passed on, from 4 on.
 */
export function tether(
  command: readonly [string, ...string[]],
  channels: number,
): readonly [string, ...string[]] {
  return [process.execPath, tetherPath, String(channels), ...command];
}
const startTimeoutMs = 10_000;

/** Raises TOOL_MISSING or PROCESS_FAILED, with what the program said, when it cannot be started. */
export async function startTethered(
  file: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Tethered> {
  const [between, ...words] = tether([file, ...args], 0);
  const child = await startChild(between, words, { ...options, channels: 1 });
  const [held] = child.channels;
  if (held === undefined) throw new Error("one channel was asked for");
  const cut = (): void => {
    held.destroy();
    child.kill("SIGCONT"); // a stopped one would not notice
  };
  const died = child.exited.then(() => {
    const said = child.stderrTail().trim();
    throw new LuminaGuardError("PROCESS_FAILED", said || `${file} ended at once`, {
      details: { program: file, stderr: said },
    });
  });
  try {
    const pid = await withDeadline(Promise.race([readPid(held), died]), {
      timeoutMs: startTimeoutMs,
      what: `starting ${file}`,
    });
    const { exited, hasExited, stderrTail, stdoutTail } = child;
    return { pid, exited, hasExited, stderrTail, stdoutTail, cut };
  } catch (error) {
    cut();
    await child.exited;
    throw error;
  } finally {
    died.catch(() => undefined); // it ends some day
  }
}

async function readPid(held: Duplex): Promise<number> {
  const pid = createDeferred<number>();
  let text = "";
  held.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("latin1")).slice(0, 64);
    const found = /"child-pid": (\d+)/.exec(text)?.[1];
    if (found !== undefined) pid.resolve(Number(found));
  });
  return pid.promise;
}
