/**
 * The workspace as a tar stream, and the baseline of what was really sent. The consumer's pace is the
 * pace: nothing is read ahead. A file that changes while it is read is cut or filled up to the size that
 * was announced, and its hash is of the bytes that went out.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Baseline, BaselineEntry } from "./baseline.ts";
import { toHostError } from "../base/host-error.ts";
import { LeftOut, type LeftOutGroup } from "./left-out.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "./tar-writer.ts";
import type { Scan } from "./scan.ts";
import type { FileEntry } from "./workspace-entry.ts";

/** owner of everything in the machine */
const guestOwner = { uid: 1000, gid: 1000 };
/** one read in `bytes` */
const chunkBytes = 64 * 1024;

export interface WorkspacePack {
  /** the tar stream; consumed once */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** What was sent so far; whole once the stream has ended. */
  readonly baseline: Baseline;
  /** What the scan saw and packing could no longer read; whole once the stream has ended. */
  readonly lost: () => readonly LeftOutGroup[];
}

export function packWorkspace(
  scan: Scan,
  options: { signal?: AbortSignal | undefined } = {},
): WorkspacePack {
  const entries = new Map<string, BaselineEntry>();
  const lost = new LeftOut();
  return {
    chunks: packChunks(scan, entries, lost, options.signal),
    baseline: { root: scan.root, entries },
    lost: () => lost.groups(),
  };
}

async function* packChunks(
  scan: Scan,
  sent: Map<string, BaselineEntry>,
  lost: LeftOut,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (const entry of scan.entries) {
    signal?.throwIfAborted();
    if (entry.kind === "file") {
      yield* packFile(scan.root, entry, sent, lost, signal);
      continue;
    }
    const { kind, path, mtimeMs } = entry;
    if (kind === "folder") {
      // the owner in the machine must be able to work in it
      const mode = entry.mode | 0o700;
      sent.set(path, { kind, mode });
      yield encodeTarHeader({ kind, path, mode, size: 0, mtimeMs, ...guestOwner });
    } else {
      const { target } = entry;
      sent.set(path, { kind, target });
      yield encodeTarHeader({ kind, path, target, mode: 0o777, size: 0, mtimeMs, ...guestOwner });
    }
  }
  yield tarEnd();
}

async function* packFile(
  root: string,
  entry: FileEntry,
  sent: Map<string, BaselineEntry>,
  lost: LeftOut,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const source = await openSource(root, entry);
  if (source === undefined) {
    lost.add("unreadable", entry.path);
    return;
  }
  try {
    const { size } = source;
    const { kind, path, mtimeMs } = entry;
    const mode = entry.mode | 0o600;
    yield encodeTarHeader({ kind, path, mode, size, mtimeMs, ...guestOwner });
    const hash = createHash("sha256");
    for (let at = 0; at < size;) {
      signal?.throwIfAborted();
      const chunk = await source
        .read(at, Math.min(chunkBytes, size - at))
        .catch((error: unknown) => {
          throw toHostError(error, `${entry.path} could not be read`);
        });
      hash.update(chunk);
      at += chunk.length;
      yield chunk;
    }
    yield tarPadding(size);
    sent.set(path, { kind, mode, size, sha256: hash.digest("hex"), mtimeMs });
  } finally {
    await source.close();
  }
}

interface Source {
  readonly size: number;
  /** exactly `length` bytes; zeroes where the file has become shorter */
  readonly read: (at: number, length: number) => Promise<Uint8Array>;
  readonly close: () => Promise<void>;
}

async function openSource(root: string, entry: FileEntry): Promise<Source | undefined> {
  const { content } = entry;
  if (content !== undefined) {
    return {
      size: content.length,
      read: (at, length) => Promise.resolve(content.subarray(at, at + length)),
      close: () => Promise.resolve(),
    };
  }
  let file: FileHandle;
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    file = await open(join(root, entry.path), flags);
  } catch {
    // gone, replaced by a link, or not readable: told as left out
    return undefined;
  }
  const facts = await file.stat();
  if (!facts.isFile()) {
    await file.close();
    return undefined;
  }
  // a file that has grown since the scan is cut, so that the bound of the scan holds
  const size = Math.min(facts.size, entry.size);
  return { size, read: (at, length) => readFully(file, at, length), close: () => file.close() };
}

async function readFully(file: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer;
}
