/**
 * Puts Firecracker and its jailer where only root can change them, which is what lets root's machines use
 * the jailer's walls. What would be done is told first; doing it is a second call.
 */
import { randomBytes } from "node:crypto";
import { chmod, chown, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { toHostError } from "../base/host-error.ts";
import { LuminaGuardError } from "../errors.ts";
import { describeTouchable, describeUnfit, findReleaseProgram } from "../vm/walls/jailer.ts";
import type { ReleaseProgram } from "../vm/walls/jailer.ts";

export interface JailerPlan {
  readonly version: string;
  /** what is copied where; none: all is as it should be */
  readonly copies: readonly { readonly from: string; readonly to: string }[];
}

/** on every root's PATH, and root's */
export const jailerFolder = "/usr/local/bin";

/**
 * Raises TOOL_MISSING where one of the programs is not found, or the two do not go together.
 * @param searchPath where the programs are now
 */
export async function planJailer(
  searchPath: string,
  folder: string = jailerFolder,
): Promise<JailerPlan> {
  const firecracker = await findOrRefuse("firecracker", searchPath);
  const jailer = await findOrRefuse("jailer", searchPath);
  const unfit = await describeUnfit(firecracker, jailer);
  if (unfit !== undefined) throw missing(unfit);
  const touchable = [await describeTouchable(firecracker), await describeTouchable(jailer)];
  const isSetUp = touchable.every((reason) => reason === undefined);
  const copies = [firecracker, jailer].map(({ path }, index) => {
    return { from: path, to: join(folder, index === 0 ? "firecracker" : "jailer") };
  });
  return { version: firecracker.version, copies: isSetUp ? [] : copies };
}

/** Raises HOST_LIMIT; a program that was there before stays whole or is replaced whole. */
export async function carryOutJailer({ copies }: JailerPlan, owner = 0): Promise<void> {
  for (const { from, to } of copies) {
    const beside = `${to}.${randomBytes(6).toString("hex")}.new`;
    try {
      await mkdir(join(to, ".."), { recursive: true, mode: 0o755 });
      await copyFile(from, beside);
      await chown(beside, owner, owner);
      await chmod(beside, 0o755);
      await rename(beside, to);
    } catch (error) {
      await rm(beside, { force: true });
      throw toHostError(error, `${to} cannot be written`);
    }
  }
}

async function findOrRefuse(
  name: "firecracker" | "jailer",
  searchPath: string,
): Promise<ReleaseProgram> {
  const found = await findReleaseProgram(name, searchPath);
  if (found !== undefined) return found;
  throw missing(`${name} is not on the PATH`);
}

function missing(reason: string): LuminaGuardError {
  return new LuminaGuardError("TOOL_MISSING", `the jailer cannot be set up: ${reason}`, {
    hint: "both come with Firecracker's release, linked statically; see docs/platforms.md#firecracker",
  });
}
