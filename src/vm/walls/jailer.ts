/**
 * Firecracker's programs on this host, and whether its jailer may be used. Whoever controls what the
 * jailer starts is root (docs/jailer.md of Firecracker: all inputs are trusted), so both programs and
 * all folders above them must be root's alone.
 */
import { open, realpath, stat } from "node:fs/promises";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { LuminaGuardError, messageOf } from "../../errors.ts";
import { runProgram } from "../../process/run-program.ts";
import type { VerdictCache } from "../choice/verdict-cache.ts";

export interface ReleaseProgram {
  readonly path: string;
  readonly version: string;
  /** size and change time: another build of the same version is another program */
  readonly fingerprint: string;
}

/** What a program said of its version, kept so that a start need not ask again. */
export type Versions = Pick<VerdictCache, "get" | "set">;

/** A program of Firecracker's release by name; `undefined` when it is not there. Raises TOOL_MISSING. */
export async function findReleaseProgram(
  name: "firecracker" | "jailer",
  searchPath: string,
  versions?: Versions,
): Promise<ReleaseProgram | undefined> {
  // a relative entry means the current folder, which is the project's: nothing is run from there
  for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) continue;
    const fingerprint = `${path}:${found.size}:${found.ctimeMs}`;
    const key = `${name} ${fingerprint}`;
    const known = await versions?.get(key);
    const version = known ?? (await readVersion(path));
    if (known === undefined) await versions?.set(key, version);
    return { path, version, fingerprint };
  }
  return undefined;
}

async function readVersion(path: string): Promise<string> {
  const { stdout } = await runProgram(path, ["--version"], { timeoutMs: 10_000 });
  const version = /^\w+ v(\d+\.\d+\.\d+)/m.exec(stdout.toString("utf8"))?.[1];
  if (version !== undefined) return version;
  throw new LuminaGuardError("TOOL_MISSING", `${path} does not say its version`, {
    hint: "is it of Firecracker's release?",
  });
}

export type JailerVerdict =
  | { readonly kind: "usable"; readonly path: string }
  | { readonly kind: "unusable"; readonly reason: string };

export interface JailerQuestion {
  readonly asRoot: boolean;
  readonly firecracker: ReleaseProgram;
  readonly searchPath: string;
  readonly versions?: Versions | undefined;
}

/** Whether machines go into the jailer's walls, or why not. */
export async function judgeJailer(question: JailerQuestion): Promise<JailerVerdict> {
  const { asRoot, firecracker, searchPath, versions } = question;
  if (!asRoot) return unusable("only root can start it");
  try {
    const jailer = await findReleaseProgram("jailer", searchPath, versions);
    if (jailer === undefined) return unusable("it is not on the PATH");
    const unfit = (await describeUnfit(firecracker, jailer)) ?? (await describeTouchable(jailer));
    const reason = unfit ?? (await describeTouchable(firecracker));
    return reason === undefined ? { kind: "usable", path: jailer.path } : unusable(reason);
  } catch (error) {
    return unusable(messageOf(error));
  }
}

function unusable(reason: string): JailerVerdict {
  return { kind: "unusable", reason };
}

/** Why the two do not go together; `undefined` when they do. */
export async function describeUnfit(
  firecracker: ReleaseProgram,
  jailer: ReleaseProgram,
): Promise<string | undefined> {
  if (firecracker.version !== jailer.version) {
    return `jailer ${jailer.version} is not of Firecracker ${firecracker.version}`;
  }
  // in the jail there are no libraries
  return (await isStatic(firecracker.path))
    ? undefined
    : `${firecracker.path} is linked to libraries`;
}

/** Why someone else than root could change the program; `undefined` when nobody can. */
export async function describeTouchable({ path }: ReleaseProgram): Promise<string | undefined> {
  const real = await realpath(path);
  for (let at = real; ; at = dirname(at)) {
    const { uid, mode } = await stat(at);
    const isSticky = (mode & 0o1000) !== 0 && at !== real;
    if (uid !== 0 || ((mode & 0o022) !== 0 && !isSticky)) return `${at} can be changed by others`;
    if (at === dirname(at)) return undefined;
  }
}

const programHeaderBytes = 56;
const interpreter = 3;

/** Whether a 64-bit ELF program names no interpreter (System V ABI, chapter 5: PT_INTERP). */
async function isStatic(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(64 * 1024);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (bytesRead < 64 || head.toString("latin1", 0, 4) !== "\x7fELF") return false;
    const start = Number(head.readBigUInt64LE(32));
    const count = head.readUInt16LE(56);
    for (let at = start; at < start + count * programHeaderBytes; at += programHeaderBytes) {
      if (at + 4 > bytesRead || head.readUInt32LE(at) === interpreter) return false;
    }
    return count > 0;
  } finally {
    await file.close();
  }
}
