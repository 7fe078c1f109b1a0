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

interface HostToolsOptions {
  /** environment of the programs, such as PATH, HOME and proxies
   * @default PATH only */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** named in the advice for hosts that cannot build
   * @default "CACHE" */
  readonly cacheDir?: string;
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
  const { cacheDir = "CACHE" } = options;
  const merged = (more: RunProgramOptions = {}): RunProgramOptions => ({
    signal: options.signal,
    ...more,
    env: { ...env, ...more.env },
  });
  return {
    run: async (file, args, more) =>
      runProgram(file, args, merged(more)).catch((error: unknown) =>
        rethrow(file, error, cacheDir),
      ),
    stream: (file, args, more) => {
      const { stdout, done } = streamProgram(file, args, merged(more));
      return { stdout, done: done.catch((error: unknown) => rethrow(file, error, cacheDir)) };
    },
  };
}

function rethrow(file: string, error: unknown, cacheDir: string): never {
  const hint = installHint(file, cacheDir);
  if (!isLuminaGuardError(error, "TOOL_MISSING") || hint === undefined) throw error;
  const { message, details } = error;
  throw new LuminaGuardError("TOOL_MISSING", message, { hint, details, cause: error });
}

function installHint(file: string, cacheDir: string): string | undefined {
  const name = packageOfProgram[file];
  if (name === undefined) return undefined;
  if (name !== "apt" && name !== "dpkg") {
    return `sudo apt-get install --no-install-recommends ${name}`;
  }
  const copy = `scp -rp DEBIAN-HOST:.cache/luminaguard/images ${cacheDir}/`;
  return `images are made on Debian: run "luminaguard image build base" there, then here: ${copy}`;
}

interface HostLimit {
  readonly what: string;
  readonly hint: string;
}
const noRoom = "free room with: luminaguard cache prune";
const noAccess = "choose a cache folder that you can write";
const hostLimits: Readonly<Record<string, HostLimit>> = {
  ENOSPC: { what: "the disk is full", hint: noRoom },
  EDQUOT: { what: "the disk quota is used up", hint: noRoom },
  EROFS: { what: "the file system is read-only", hint: noAccess },
  EACCES: { what: "the folder may not be written", hint: noAccess },
  EPERM: { what: "the folder may not be written", hint: noAccess },
  ENOTDIR: { what: "the path leads through a file", hint: noAccess },
  ENAMETOOLONG: { what: "the path is too long", hint: noAccess },
};

/** Turns a failure of the disk into HOST_LIMIT; other errors pass as they are. */
export function explainDisk(error: unknown, folder: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const isFull = /no space left on device/i.test(messageOf(error));
  const limit = hostLimits[isFull ? "ENOSPC" : (code ?? "")];
  if (limit === undefined) return error;
  const { what, hint } = limit;
  return new LuminaGuardError("HOST_LIMIT", `${what}: ${folder}`, {
    hint,
    details: { folder },
    cause: error,
  });
}
