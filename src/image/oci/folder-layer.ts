/** A folder of the host as the one layer of an image. Links are taken as links, never followed. */
import { constants } from "node:fs";
import type { Stats } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { SquashfsWriter } from "../squashfs.ts";
import { invalidImage, quote } from "./invalid.ts";
import type { LayerTree } from "./layer-tree.ts";
import type { OciLimits } from "./limits.ts";
import type { TarHeader, TarKind } from "./tar-reader.ts";

interface FolderLayerOptions {
  readonly limits: OciLimits;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Owners are the folder's own where root reads it; else what belongs to whoever reads it belongs to
 * root in the image, since nobody else could have unpacked it.
 */
export async function applyFolder(
  folder: string,
  into: { readonly tree: LayerTree; readonly contents: Pick<SquashfsWriter, "append"> },
  { limits, signal }: FolderLayerOptions,
): Promise<void> {
  const names = new Map<string, string>();
  let entries = 0;
  let bytes = 0;
  const addFile = async (header: TarHeader, place: string, stats: Stats): Promise<void> => {
    const identity = `${stats.dev}:${stats.ino}`;
    const target = names.get(identity);
    if (target !== undefined) {
      into.tree.add({ ...header, kind: "link", target }, undefined);
      return;
    }
    const extent = await into.contents.append(readFile(place), header.bytes);
    if (extent.bytes !== header.bytes) throw invalidImage(`${quote(place)} changed meanwhile`);
    into.tree.add(header, extent);
    if (stats.nlink > 1) names.set(identity, header.path);
  };
  into.tree.beginLayer();
  const visit = async (path: string): Promise<void> => {
    signal?.throwIfAborted();
    const place = join(folder, path);
    const stats = await lstat(place);
    entries += 1;
    bytes += stats.isFile() ? stats.size : 0;
    if (entries > limits.entriesMax || bytes > limits.unpackedBytesMax)
      throw invalidImage(`the folder ${quote(folder)} is too large`);
    const header = await describe(path, place, stats);
    if (header === undefined) return;
    if (header.kind === "file") await addFile(header, place, stats);
    else into.tree.add(header, undefined);
    if (header.kind !== "directory") return;
    for (const name of (await readdir(place)).sort())
      await visit(path === "" ? name : `${path}/${name}`);
  };
  await visit("");
}

async function* readFile(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  for (;;) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(256 * 1024) });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function describe(path: string, place: string, stats: Stats): Promise<TarHeader | undefined> {
  const kind = kindOf(stats);
  if (kind === undefined) return undefined; // a socket is of the program that listens on it
  const self = process.getuid?.() ?? 0;
  const own = (id: number): number => (self !== 0 && stats.uid === self ? 0 : id);
  return {
    kind,
    path,
    target: kind === "symlink" ? await readlink(place) : "",
    mode: stats.mode & 0o7777,
    uid: own(stats.uid),
    gid: own(stats.gid),
    mtimeS: Math.min(Math.max(Math.floor(stats.mtimeMs / 1000), 0), 0xffff_ffff),
    bytes: kind === "file" ? stats.size : 0,
    device: kind.endsWith("device") ? splitDevice(stats.rdev) : [0, 0],
    xattrs: new Map(),
  };
}

function kindOf(stats: Stats): TarKind | undefined {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "character-device";
  if (stats.isBlockDevice()) return "block-device";
  return stats.isFIFO() ? "fifo" : undefined;
}

/** As glibc's gnu_dev_major and gnu_dev_minor. */
function splitDevice(device: number): readonly [number, number] {
  return [(device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00)];
}
