/** Files by name, wherever they lie: in a folder of the host, or in an archive that is not packed. */
import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { invalidImage, quote } from "./invalid.ts";
import { readTar } from "./tar-reader.ts";
import { splitPath } from "./tree-path.ts";

export interface FileSet {
  readonly has: (path: string) => Promise<boolean>;
  /** IMAGE_INVALID where there is none */
  readonly open: (path: string) => AsyncIterable<Uint8Array>;
  readonly sizeOf: (path: string) => Promise<number>;
  readonly readWhole: (path: string, bytesMax: number) => Promise<Buffer>;
}

const pieceBytes: number = 256 * 1024;
/** an image's archive has a file for each layer and little more */
const entriesMax = 10_000;

interface Place {
  readonly offset: number;
  readonly bytes: number;
}

/** Names below the folder; a name that is a link is not followed. */
export function createFolderSet(folder: string): FileSet {
  const sizeOf = async (path: string): Promise<number> => {
    const stats = await lstat(join(folder, ...splitPath(path))).catch(() => undefined);
    if (stats?.isFile() !== true) throw missing(path);
    return stats.size;
  };
  return fileSet(
    async (path) =>
      sizeOf(path).then(
        () => true,
        () => false,
      ),
    async (path) => ({
      file: join(folder, ...splitPath(path)),
      place: { offset: 0, bytes: await sizeOf(path) },
    }),
  );
}

/** Reads the archive's names once; contents are read where they lie. */
export async function createArchiveSet(file: string): Promise<FileSet> {
  const places = new Map<string, Place | string>();
  for await (const entry of readTar(readRange(file, { offset: 0, bytes: Infinity }))) {
    if (places.size >= entriesMax) throw invalidImage("its archive has too many files");
    const path = splitPath(entry.path).join("/");
    if (entry.kind === "file") places.set(path, { offset: entry.offset, bytes: entry.bytes });
    // older archives name a layer that two images share by a link
    if (entry.kind === "link") places.set(path, splitPath(entry.target).join("/"));
    if (entry.kind === "symlink") places.set(path, linkWithin(path, entry.target));
  }
  const find = (path: string): Place | undefined => {
    let place = places.get(splitPath(path).join("/"));
    for (let links = 0; typeof place === "string" && links < 8; links += 1)
      place = places.get(place);
    return typeof place === "string" ? undefined : place;
  };
  return fileSet(
    (path) => Promise.resolve(find(path) !== undefined),
    (path) => {
      const place = find(path);
      if (place === undefined) throw missing(path);
      return Promise.resolve({ file, place });
    },
  );
}

function fileSet(
  has: FileSet["has"],
  locate: (path: string) => Promise<{ file: string; place: Place }>,
): FileSet {
  return {
    has,
    sizeOf: async (path) => (await locate(path)).place.bytes,
    open: async function* (path) {
      const { file, place } = await locate(path);
      yield* readRange(file, place);
    },
    readWhole: async (path, bytesMax) => {
      const { file, place } = await locate(path);
      if (place.bytes > bytesMax) throw invalidImage(`its file ${quote(path)} is too large`);
      const pieces: Uint8Array[] = [];
      for await (const piece of readRange(file, place)) pieces.push(piece);
      return Buffer.concat(pieces);
    },
  };
}

/** Part of a file, read as it is asked for. */
export async function* readRange(path: string, { offset, bytes }: Place): AsyncGenerator<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  for (let at = 0; at < bytes;) {
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, bytes - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function linkWithin(path: string, target: string): string {
  const parts = path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function missing(path: string): Error {
  return invalidImage(`there is no file ${quote(path)} in it`);
}
