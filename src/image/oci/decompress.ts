/** Unpacks a layer by what its first bytes say it is: gzip, zstd or plain. */
import { createGunzip } from "node:zlib";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Decompress } from "fzstd";
import { invalidImage } from "./invalid.ts";
import { isLuminaGuardError } from "../../errors.ts";
import { readZstdBlocks } from "./zstd-blocks.ts";

const gunzipChunkBytes: number = 256 * 1024;

/** The unpacked bytes. IMAGE_INVALID where they are not what their beginning says. */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { head, all } = await peek(source, 4);
  const packing = packingOf(head);
  if (packing === "gzip") yield* gunzip(all);
  else if (packing === "zstd") yield* unzstd(all);
  else yield* all;
}

/** What the first four bytes say (RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2). */
export function packingOf(head: Buffer): "gzip" | "zstd" | "none" {
  const magic = head.length < 4 ? 0 : head.readUInt32LE(0);
  if ((magic & 0xffff) === 0x8b1f) return "gzip";
  const isZstd = magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
  return isZstd ? "zstd" : "none";
}

async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip({ chunkSize: gunzipChunkBytes });
  const piping = pipeline(Readable.from(source), unzip);
  piping.catch(() => undefined); // `unzip` raises it too
  try {
    yield* unzip as AsyncIterable<Buffer>;
  } catch (error) {
    throw explain(error, "gzip");
  } finally {
    unzip.destroy();
    await piping.catch(() => undefined);
  }
}

async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unpacked: Uint8Array[] = [];
  const decoder = new Decompress((piece) => unpacked.push(piece));
  const step = (piece: Uint8Array, isLast: boolean): void => {
    try {
      decoder.push(piece, isLast);
    } catch (error) {
      throw explain(error, "zstd");
    }
  };
  for await (const block of readZstdBlocks(source)) {
    step(block, false);
    yield* unpacked.splice(0);
  }
  step(new Uint8Array(0), true);
  yield* unpacked;
}

function explain(error: unknown, kind: string): unknown {
  if (isLuminaGuardError(error)) return error;
  const { code = "" } = error as NodeJS.ErrnoException;
  const isOfBytes = kind === "zstd" || code.startsWith("Z_");
  return isOfBytes ? invalidImage(`a layer is not whole ${kind}`, { cause: error }) : error;
}

/** The first bytes, and a stream that begins with them. */
async function peek(
  source: AsyncIterable<Uint8Array>,
  bytes: number,
): Promise<{ head: Buffer; all: AsyncGenerator<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < bytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return { head, all: chain(head, iterator) };
}

async function* chain(
  head: Buffer,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield head;
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
