/**
 * Cuts a zstd stream into its headers and blocks (RFC 8878, section 3.1) before it is unpacked, so that
 * each step of the unpacker gives 128 KiB at most, and a window larger than ours is refused unmade.
 */
import { ByteReader } from "./byte-reader.ts";
import { invalidImage } from "./invalid.ts";

/** largest window, in `bytes`: what every decoder is to support (RFC 8878, section 3.1.1.1.2) */
const windowBytesMax: number = 8 * 1024 * 1024;
const blockBytesMax: number = 128 * 1024;
const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const skipBytesMax: number = 64 * 1024 * 1024;

export async function* readZstdBlocks(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void, undefined> {
  const reader = new ByteReader(source);
  try {
    for (;;) {
      const magic = await reader.read(4);
      if (magic.length === 0) return;
      if (magic.length < 4) throw cut();
      const number = magic.readUInt32LE(0);
      if (number === frameMagic) yield* readFrame(reader, magic);
      else if ((number & 0xfffffff0) >>> 0 === skippableMagic) await skipFrame(reader);
      else throw invalidImage("a layer is not whole zstd");
    }
  } finally {
    await reader.close();
  }
}

async function* readFrame(reader: ByteReader, magic: Buffer): AsyncGenerator<Buffer> {
  const descriptor = await exactly(reader, 1);
  const flags = descriptor[0] ?? 0;
  const { isSingle, sizeBytes } = parseFlags(flags);
  const rest = await exactly(reader, (isSingle ? 0 : 1) + sizeBytes);
  const window = isSingle ? contentBytes(rest) : windowBytes(rest[0] ?? 0);
  if (window > windowBytesMax) throw invalidImage("a layer's zstd window is over 8 MiB");
  yield Buffer.concat([magic, descriptor, rest]);
  for (let isLast = false; !isLast;) {
    const block = await readBlock(reader);
    isLast = block.isLast;
    yield block.bytes;
  }
  if ((flags & 4) !== 0) yield await exactly(reader, 4); // the content's checksum
}

function parseFlags(flags: number): { isSingle: boolean; sizeBytes: number } {
  if ((flags & 3) !== 0) throw invalidImage("a layer needs a zstd dictionary");
  const isSingle = (flags & 0x20) !== 0;
  const code = flags >> 6;
  return { isSingle, sizeBytes: code === 0 ? Number(isSingle) : 1 << code };
}

async function readBlock(reader: ByteReader): Promise<{ bytes: Buffer; isLast: boolean }> {
  const head = await exactly(reader, 3);
  const bits = head.readUIntLE(0, 3);
  const type = (bits >> 1) & 3;
  const bytes = bits >> 3;
  if (type === 3 || bytes > blockBytesMax) throw invalidImage("a layer is not whole zstd");
  const content = await exactly(reader, type === 1 ? 1 : bytes);
  return { bytes: Buffer.concat([head, content]), isLast: (bits & 1) === 1 };
}

function contentBytes(field: Buffer): number {
  if (field.length === 8) return Number(field.readBigUInt64LE(0));
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

async function skipFrame(reader: ByteReader): Promise<void> {
  const bytes = (await exactly(reader, 4)).readUInt32LE(0);
  if (bytes > skipBytesMax) throw invalidImage("a layer hides much that is not unpacked");
  if ((await reader.skip(bytes)) < bytes) throw cut();
}

async function exactly(reader: ByteReader, bytes: number): Promise<Buffer> {
  const found = await reader.read(bytes);
  if (found.length < bytes) throw cut();
  return found;
}

function cut(): Error {
  return invalidImage("a layer ends in the middle");
}
