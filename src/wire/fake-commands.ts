/**
 * The few commands a fake machine knows. Nothing is executed on the host: each is a function over
 * the streams it is given.
 */
import type { Readable } from "node:stream";

export interface FakeCommandIo {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: (data: string | Uint8Array) => void;
  readonly stderr: (data: string | Uint8Array) => void;
  /** aborted when the command is to end */
  readonly signal: AbortSignal;
}

/** Gives the exit code. */
export type FakeCommand = (io: FakeCommandIo) => number | Promise<number>;

export const fakeCommands: Readonly<Record<string, FakeCommand>> = {
  true: () => 0,
  false: () => 1,
  pwd: ({ cwd, stdout }) => {
    stdout(`${cwd}\n`);
    return 0;
  },
  echo: ({ args, stdout }) => {
    stdout(`${args.join(" ")}\n`);
    return 0;
  },
  env: ({ env, stdout }) => {
    for (const [name, value] of Object.entries(env)) stdout(`${name}=${value}\n`);
    return 0;
  },
  cat: async ({ stdin, stdout }) => {
    for await (const chunk of stdin as AsyncIterable<Buffer>) stdout(chunk);
    return 0;
  },
  sleep: ({ args: [seconds = "0"], signal }) => {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(0), Number(seconds) * 1000);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve(0);
      });
    });
  },
  sh: async (io) => {
    let exitCode = 0;
    for (const step of (io.args[1] ?? "").split(";")) {
      exitCode = await runStep(step.trim(), io);
      if (step.trim().startsWith("exit")) return exitCode;
    }
    return exitCode;
  },
};

/** One command of a script, with ">&2" as the only redirection. */
async function runStep(step: string, io: FakeCommandIo): Promise<number> {
  const toStderr = step.endsWith(">&2");
  const [name = "", ...args] = (toStderr ? step.slice(0, -3) : step).trim().split(/\s+/);
  if (name === "exit") return Number(args[0] ?? 0);
  const command = fakeCommands[name];
  if (command !== undefined)
    return command({ ...io, args, stdout: toStderr ? io.stderr : io.stdout });
  io.stderr(`sh: ${name}: not found\n`);
  return 127;
}
