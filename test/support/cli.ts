/** The real program, as a person or a script starts it, with runtime and state folders of its own. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const programPath: string = new URL("../../bin/luminaguard", import.meta.url).pathname;

export interface CliResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
}

export interface CliHome extends AsyncDisposable {
  /** project folder, empty */
  readonly project: string;
  readonly runtimeDir: string;
  readonly stateDir: string;
  readonly configDir: string;
  readonly start: (args: readonly string[], options?: CliOptions) => ChildProcessWithoutNullStreams;
  readonly run: (args: readonly string[], options?: CliOptions) => Promise<CliResult>;
  /** machines' folders and records that are there now */
  readonly leftovers: () => Promise<readonly string[]>;
}

export interface CliHomeOptions {
  /** what starts the program @default its own start */
  readonly program?: string;
  /** a program that starts it, and its arguments @default none */
  readonly prefix?: readonly string[];
}

export async function createCliHome({
  program = programPath,
  prefix = [],
}: CliHomeOptions = {}): Promise<CliHome> {
  const folder = await mkdtemp(join(tmpdir(), "lg-"));
  const project = join(folder, "project");
  const runtimeDir = join(folder, "run");
  const stateDir = join(folder, "state");
  const configDir = join(folder, "config");
  await mkdir(project);
  const start: CliHome["start"] = (args, options = {}) => {
    const [file = "", ...words] = [...prefix, process.execPath, program, ...args];
    return spawn(file, words, {
      cwd: options.cwd ?? project,
      env: {
        ...process.env,
        LUMINAGUARD_RUNTIME_DIR: runtimeDir,
        LUMINAGUARD_STATE_DIR: stateDir,
        LUMINAGUARD_CONFIG_DIR: configDir,
        ...options.env,
      },
    });
  };
  return {
    project,
    runtimeDir,
    stateDir,
    configDir,
    start,
    run: async (args, options = {}) => {
      const child = start(args, options);
      child.stdin.on("error", () => undefined);
      child.stdin.end(options.input ?? "");
      return collect(child);
    },
    leftovers: () => readdir(runtimeDir).catch(() => []),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export async function collect(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const [exitCode, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return {
    exitCode,
    signal,
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr).toString("utf8"),
  };
}

/** Resolves when the child has written the text on stderr, or on the stream that is named. */
export function sees(
  child: ChildProcessWithoutNullStreams,
  text: string,
  stream: "stderr" | "stdout" = "stderr",
): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = "";
    child[stream].on("data", (chunk: Buffer) => {
      seen += chunk.toString("utf8");
      if (seen.includes(text)) resolve();
    });
    child.once("close", () => reject(new Error(`ended without "${text}": ${seen}`)));
  });
}
