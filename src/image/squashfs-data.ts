/** The file data of a squashfs while it is written: appended in one run, small pieces gathered. */
import type { FileHandle } from "node:fs/promises";
import type { FileExtent } from "./squashfs-tables.ts";

export interface SquashfsData {
  /** where the next append goes */
  readonly end: () => number;
  /** writes the pieces, up to `bytesMax`; gives where they are */
  readonly append: (content: AsyncIterable<Uint8Array>, bytesMax: number) => Promise<FileExtent>;
  readonly read: (extent: FileExtent) => Promise<Buffer>;
  /** moves these, sorted by their start, together; gives their new places, in the same order */
  readonly compact: (kept: readonly FileExtent[]) => Promise<FileExtent[]>;
  readonly flush: () => Promise<void>;
}

const gatheredBytesMax: number = 1024 * 1024;

/** @param start where the first piece goes */
export function createSquashfsData(file: FileHandle, start: number): SquashfsData {
  const gathered = Buffer.allocUnsafe(gatheredBytesMax);
  let gatheredBytes = 0;
  let written = start;
  const flush = async (): Promise<void> => {
    if (gatheredBytes > 0) await writeAll(file, gathered.subarray(0, gatheredBytes), written);
    written += gatheredBytes;
    gatheredBytes = 0;
  };
  const push = async (piece: Uint8Array): Promise<void> => {
    if (gatheredBytes + piece.length > gatheredBytesMax) await flush();
    if (piece.length > gatheredBytesMax) {
      await writeAll(file, piece, written);
      written += piece.length;
      return;
    }
    gathered.set(piece, gatheredBytes);
    gatheredBytes += piece.length;
  };
  return {
    end: () => written + gatheredBytes,
    flush,
    append: async (content, bytesMax) => {
      const from = written + gatheredBytes;
      let bytes = 0;
      for await (const piece of content) {
        bytes += piece.length;
        if (bytes > bytesMax) break;
        await push(piece);
      }
      return { start: from, bytes };
    },
    read: async ({ start: from, bytes }) => {
      await flush();
      const content = Buffer.alloc(bytes);
      for (let at = 0; at < bytes;) {
        const { bytesRead } = await file.read(content, at, bytes - at, from + at);
        if (bytesRead === 0) throw cutMeanwhile();
        at += bytesRead;
      }
      return content;
    },
    compact: async (kept) => {
      await flush();
      let end = start;
      const moved: FileExtent[] = [];
      for (const extent of kept) {
        if (extent.start !== end) await move(file, extent, end, gathered);
        moved.push({ start: end, bytes: extent.bytes });
        end += extent.bytes;
      }
      written = end;
      await file.truncate(end);
      return moved;
    },
  };
}

/** To a place before its own, so that going forward nothing is overwritten that is still to be read. */
async function move(file: FileHandle, from: FileExtent, to: number, buffer: Buffer): Promise<void> {
  for (let at = 0; at < from.bytes;) {
    const length = Math.min(buffer.length, from.bytes - at);
    const { bytesRead } = await file.read(buffer, 0, length, from.start + at);
    if (bytesRead === 0) throw cutMeanwhile();
    await writeAll(file, buffer.subarray(0, bytesRead), to + at);
    at += bytesRead;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

function cutMeanwhile(): Error {
  return new Error("the file of the layer was cut while it was written");
}
