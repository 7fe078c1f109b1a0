/**
 * What the host has at a path right now, looked at without following any link: neither the last name nor
 * any folder on the way may be one.
 */
import { constants, type Stats } from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { join } from "node:path";
import { ContentHasher } from "./blob-folder.ts";
import type { ChangeState } from "./change-set.ts";
import { errnoOf } from "../base/host-error.ts";

export type HostState =
  | ChangeState
  /** no such file, or a folder on the way is missing */
  | { readonly kind: "absent" }
  /** a device, socket or pipe, a file that cannot be read, or a link or file where a folder should be */
  | { readonly kind: "blocked"; readonly reason: string };

export async function readHostState(
  root: string,
  path: string,
  signal?: AbortSignal,
): Promise<HostState> {
  const parent = await checkFolders(root, path);
  if (parent !== undefined) return parent;
  const full = join(root, path);
  const facts = await lookAt(full);
  if (facts === undefined) return { kind: "absent" };
  if (facts.isDirectory()) return { kind: "folder" };
  if (facts.isSymbolicLink()) return { kind: "link", target: await readlink(full) };
  if (!facts.isFile()) return { kind: "blocked", reason: `${path} is not a regular file` };
  return await readFileState(full, path, signal);
}

/** Undefined when every folder above the path is there and is no link. */
export async function checkFolders(root: string, path: string): Promise<HostState | undefined> {
  for (let cut = path.indexOf("/"); cut >= 0; cut = path.indexOf("/", cut + 1)) {
    const folder = path.slice(0, cut);
    const facts = await lookAt(join(root, folder));
    if (facts === undefined) return { kind: "absent" };
    if (facts.isSymbolicLink()) return { kind: "blocked", reason: `${folder} is a link` };
    if (!facts.isDirectory()) return { kind: "blocked", reason: `${folder} is not a folder` };
  }
  return undefined;
}

export function isExecutable(mode: number): boolean {
  return (mode & 0o100) !== 0;
}

async function readFileState(full: string, path: string, signal?: AbortSignal): Promise<HostState> {
  try {
    const file = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      const hasher = new ContentHasher();
      const stream = file.createReadStream({ autoClose: false, signal });
      for await (const chunk of stream as AsyncIterable<Buffer>) hasher.add(chunk);
      const { sha256, size } = hasher.end();
      return { kind: "file", executable: isExecutable(facts.mode), size, sha256 };
    } finally {
      await file.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (errnoOf(error) === "ENOENT") return { kind: "absent" };
    return { kind: "blocked", reason: `${path} cannot be read` };
  }
}

/** The facts of the name itself; undefined when there is none. */
export async function lookAt(full: string): Promise<Stats | undefined> {
  try {
    return await lstat(full);
  } catch (error) {
    // a name that is too long for this host is not there either
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
