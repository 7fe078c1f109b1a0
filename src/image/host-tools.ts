/**
 * What an image build needs from the host: programs, their environment, and room on the disk.
 * Where one is missing the error holds the exact command that brings it.
 */
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../errors.ts";
import { runProgram, streamProgram } from "../process/run-program.ts";
import type { ProgramResult, ProgramStream, RunProgramOptions } from "../process/run-program.ts";

/** Debian package that has each program */
const packageOfProgram: Readonly<Record<string, string>> = {
  "apt-cache": "apt",
  "apt-get": "apt",
  "dpkg-deb": "dpkg",
  xz: "xz-utils",
};

export interface HostTools {
  readonly run: (
    file: string,
    args: readonly string[],
    options?: RunProgramOptions,
  ) => Promise<ProgramResult>;
  readonly stream: (
    file: string,
    args: readonly string[],
    options?: RunProgramOptions,
  ) => ProgramStream;
}

export interface HostToolsOptions {
  /** environment of the programs, such as PATH, HOME and proxies
   * @default PATH only */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs programs with one environment and signal; a missing one is TOOL_MISSING with its package. */
export function createHostTools(options: HostToolsOptions): HostTools {
  const env = {
    PATH: defaultPath,
    ...options.env,
    LC_ALL: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
  };
  const merged = (more: RunProgramOptions = {}): RunProgramOptions => ({
    signal: options.signal,
    ...more,
    env: { ...env, ...more.env },
  });
  return {
    run: async (file, args, more) =>
      runProgram(file, args, merged(more)).catch((error: unknown) => rethrow(file, error)),
    stream: (file, args, more) => {
      const { stdout, done } = streamProgram(file, args, merged(more));
      return { stdout, done: done.catch((error: unknown) => rethrow(file, error)) };
    },
  };
}

function rethrow(file: string, error: unknown): never {
  const hint = installHint(file);
  if (!isLuminaGuardError(error, "TOOL_MISSING") || hint === undefined) throw error;
  throw new LuminaGuardError("TOOL_MISSING", error.message, {
    hint,
    details: error.details,
    cause: error,
  });
}

function installHint(file: string): string | undefined {
  const name = packageOfProgram[file];
  if (name === undefined) return undefined;
  if (name === "apt" || name === "dpkg") {
    return "images are made from Debian packages: build on a Debian host and copy the cache folder's images/ here";
  }
  return `sudo apt-get install --no-install-recommends ${name}`;
}

const hostLimits: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "the folder may not be written",
  EPERM: "the folder may not be written",
  ENAMETOOLONG: "the path is too long",
};

/** Turns a failure of the disk into HOST_LIMIT; other errors pass as they are. */
export function explainDisk(error: unknown, folder: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const noSpace = /no space left on device/i.test(messageOf(error));
  const what = hostLimits[noSpace ? "ENOSPC" : (code ?? "")];
  if (what === undefined) return error;
  return new LuminaGuardError("HOST_LIMIT", `${what}: ${folder}`, {
    hint: "free room with `luminaguard cache prune`, or choose another cache folder",
    details: { folder },
    cause: error,
  });
}
