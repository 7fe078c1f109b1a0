/**
 * The folder that one build works in. It is made under the store so that a finished image is
 * published by one rename. Its name says which process made it, so that what a dead builder left
 * is found and removed at the next start.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { identifySelf, isRunning } from "../process/process-identity.ts";

const namePattern = /^build-(\d+)-(\d+|x)-[0-9a-f]+$/;

interface BuildFolder {
  readonly path: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param parent made where it is missing */
export async function createBuildFolder(parent: string): Promise<BuildFolder> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const { pid, startTicks } = identifySelf();
  const name = `build-${pid}-${startTicks ?? "x"}-${randomBytes(6).toString("hex")}`;
  const path = join(parent, name);
  await mkdir(path, { mode: 0o700 });
  return { path, [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true }) };
}

/** Folders below `parent` whose builder is gone. */
export async function listLeftovers(parent: string): Promise<string[]> {
  const names = await readdir(parent).catch(() => [] as string[]);
  const left: string[] = [];
  for (const name of names) {
    const match = namePattern.exec(name);
    if (match === null) continue;
    const startTicks = match[2] === "x" ? null : Number(match[2]);
    if (!(await isRunning({ pid: Number(match[1]), startTicks }))) left.push(join(parent, name));
  }
  return left;
}

export async function removeLeftovers(parent: string): Promise<number> {
  const left = await listLeftovers(parent);
  for (const path of left) await rm(path, { recursive: true, force: true });
  return left.length;
}
