/**
 * What the image store keeps in the cache folder, and how it is brought down to a size: leftovers
 * of dead builds always go, then whatever was used longest ago. Named images stay: they were asked
 * for, and `image rm` is how they go.
 */
import { lstat, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { listLeftovers } from "./build-folder.ts";
import type { NamedImage } from "./image-names.ts";
import { isImageDigest } from "./manifest.ts";
import type { ImageDigest } from "./manifest.ts";

export interface CacheFolders {
  readonly images: string;
  /** records of checks, one an image */
  readonly verified: string;
  /** builds under way */
  readonly builds: string;
  readonly packages: string;
  readonly guest: string;
  /** of images in registries */
  readonly blobs: string;
}

export interface CacheItem {
  readonly kind: "image" | "package" | "guest" | "blob" | "leftover";
  readonly path: string;
  readonly bytes: number;
  /** since 1970, in `ms` */
  readonly usedAtMs: number;
  /** names that lead to it; images only */
  readonly names: readonly string[];
}

export interface PruneOptions {
  /** what may stay, in `bytes`; 0 leaves the named images only */
  readonly bytesMax: number;
  /** images that machines or templates use */
  readonly keep?: ReadonlySet<ImageDigest>;
}

export interface PruneResult {
  readonly removed: readonly CacheItem[];
  /** what is left, in `bytes`; over the limit where the named images alone are */
  readonly bytes: number;
}

/** while a build is under way, what was used within this time may be part of it, in `ms` */
const graceMs = 3_600_000;

/** Everything of the image store that takes room, used last first. */
export async function listCache(
  folders: CacheFolders,
  named: readonly NamedImage[],
): Promise<CacheItem[]> {
  const items: CacheItem[] = [];
  const add = async (
    kind: CacheItem["kind"],
    path: string,
    names: readonly string[] = [],
  ): Promise<void> => {
    const size = await measure(path).catch(() => undefined);
    if (size !== undefined) items.push({ kind, path, ...size, names });
  };
  for (const name of await readdir(folders.images).catch(() => [])) {
    const names = named.filter((each) => each.digest === name).map((each) => each.name);
    if (isImageDigest(name)) await add("image", join(folders.images, name), names);
  }
  for (const name of await readdir(folders.packages).catch(() => [])) {
    await add("package", join(folders.packages, name));
  }
  for (const name of await readdir(folders.guest).catch(() => []))
    await add("guest", join(folders.guest, name));
  for (const name of await readdir(folders.blobs).catch(() => []))
    await add("blob", join(folders.blobs, name));
  for (const path of await listLeftovers(folders.builds)) await add("leftover", path);
  return items.sort((a, b) => b.usedAtMs - a.usedAtMs);
}

export async function pruneCache(
  folders: CacheFolders,
  named: readonly NamedImage[],
  options: PruneOptions,
): Promise<PruneResult> {
  const { bytesMax, keep = new Set<ImageDigest>() } = options;
  const items = await listCache(folders, named);
  const busy = await hasBuilds(folders.builds);
  const removed: CacheItem[] = [];
  let bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  const remove = async (item: CacheItem): Promise<void> => {
    await rm(item.path, { recursive: true, force: true });
    const record = join(folders.verified, `${basename(item.path)}.json`);
    if (item.kind === "image") await rm(record, { force: true });
    bytes -= item.bytes;
    removed.push(item);
  };
  for (const item of items) if (item.kind === "leftover") await remove(item);
  for (const item of items.toReversed()) {
    if (bytes <= bytesMax) break;
    const digest = basename(item.path);
    const held = item.names.length > 0 || (isImageDigest(digest) && keep.has(digest));
    const mayBeInBuild = busy && item.usedAtMs > Date.now() - graceMs;
    if (item.kind !== "leftover" && !held && !mayBeInBuild) await remove(item);
  }
  return { removed, bytes };
}

/** Whether a build is under way: what dead builders left is gone by now. */
async function hasBuilds(folder: string): Promise<boolean> {
  const [all, left] = [await readdir(folder).catch(() => []), await listLeftovers(folder)];
  return all.length > left.length;
}

async function measure(path: string): Promise<{ bytes: number; usedAtMs: number }> {
  const top = await lstat(path);
  if (!top.isDirectory()) return { bytes: top.size, usedAtMs: top.mtimeMs };
  let bytes = 0;
  for (const name of await readdir(path, { recursive: true })) {
    const stats = await lstat(join(path, name));
    if (stats.isFile()) bytes += stats.size;
  }
  return { bytes, usedAtMs: top.mtimeMs };
}
