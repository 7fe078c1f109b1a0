/**
 * Reads a tar stream of hostile origin: ustar, PAX and GNU's long names. Values of extended attributes
 * stay the bytes they are, which is why this is not left to a library. Format: POSIX.1-2017, pax;
 * GNU tar's manual, "Basic Tar Format".
 */
import { ByteReader } from "./byte-reader.ts";
import { invalidImage, quote } from "./invalid.ts";
import { applyPax, parsePax } from "./tar-pax.ts";
import type { PaxRecords } from "./tar-pax.ts";

export type TarKind =
  "file" | "directory" | "symlink" | "link" | "character-device" | "block-device" | "fifo";

export interface TarHeader {
  readonly kind: TarKind;
  /** as the archive has it */
  readonly path: string;
  /** of a link, as the archive has it */
  readonly target: string;
  /** permission bits */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** in whole seconds since 1970, within 32 bits */
  readonly mtimeS: number;
  /** of the content that follows */
  readonly bytes: number;
  readonly device: readonly [major: number, minor: number];
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export interface TarEntry extends TarHeader {
  /** where the content begins in the stream */
  readonly offset: number;
  /** to be read before the next entry is asked for; what is left is passed over */
  readonly content: AsyncGenerator<Buffer, void, undefined>;
}

const blockBytes = 512;
/** of one extended header or long name, in `bytes` */
const extensionBytesMax: number = 1024 * 1024;
const kinds: Readonly<Record<string, TarKind>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
};

/** Every entry in turn. IMAGE_INVALID where the stream is not a whole archive. */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new ByteReader(source);
  const forAll: PaxRecords = new Map();
  let forNext: Map<string, Buffer> = new Map();
  try {
    for (;;) {
      const block = await reader.read(blockBytes);
      if (block.length === 0 || isZero(block)) break;
      if (block.length < blockBytes) throw cut();
      checkSum(block);
      const type = String.fromCharCode(block[156] ?? 0);
      const bytes = readNumber(block, 124, 12);
      if ("xgLK".includes(type)) {
        const records = readRecords(type, await readExtension(reader, bytes));
        for (const [key, value] of records) (type === "g" ? forAll : forNext).set(key, value);
        continue;
      }
      const header = readHeader(block, type, bytes, new Map([...forAll, ...forNext]));
      forNext = new Map();
      yield* readEntry(reader, header);
    }
    await drain(reader);
  } finally {
    await reader.close();
  }
}

/** PAX records, or one of GNU's long names as the record that it stands for. */
function readRecords(type: string, content: Buffer): PaxRecords {
  if (type === "L") return new Map([["path", untilZero(content)]]);
  if (type === "K") return new Map([["linkpath", untilZero(content)]]);
  return parsePax(content);
}

async function* readEntry(reader: ByteReader, header: TarHeader): AsyncGenerator<TarEntry> {
  const start = reader.position;
  const content = reader.pieces(header.bytes);
  yield { ...header, offset: start, content };
  await content.return(undefined);
  const left = start + header.bytes - reader.position;
  if ((await reader.skip(left)) < left) throw cut();
  // umoci leaves out what fills the last block, and the archive's end; Go's reader does without too
  await reader.skip(padded(header.bytes) - header.bytes);
}

/** What is behind the archive's end belongs to the layer's digest. */
async function drain(reader: ByteReader): Promise<void> {
  while ((await reader.skip(1024 * 1024)) > 0);
}

function readHeader(block: Buffer, type: string, bytes: number, pax: PaxRecords): TarHeader {
  const name = untilZero(block.subarray(0, 100));
  const magic = block.toString("latin1", 257, 263);
  const prefix = magic === "ustar\0" ? untilZero(block.subarray(345, 500)) : Buffer.alloc(0);
  const path = prefix.length > 0 ? Buffer.concat([prefix, Buffer.from("/"), name]) : name;
  const plain = {
    path,
    linkpath: untilZero(block.subarray(157, 257)),
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    mtimeS: readNumber(block, 136, 12),
    bytes,
  };
  const facts = applyPax(plain, pax);
  const kind = type === "\0" && facts.path.endsWith("/") ? "directory" : kinds[type];
  if (kind === undefined)
    throw invalidImage(`${quote(facts.path)} is of a kind ${quote(type)} that is not known`);
  const isDevice = kind === "character-device" || kind === "block-device";
  return {
    kind,
    path: facts.path,
    target: kind === "symlink" || kind === "link" ? facts.target : "",
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: facts.uid,
    gid: facts.gid,
    mtimeS: facts.mtimeS,
    bytes: kind === "file" ? facts.bytes : ignoredBytes(kind, facts.bytes),
    device: isDevice ? [readNumber(block, 329, 8), readNumber(block, 337, 8)] : [0, 0],
    xattrs: facts.xattrs,
  };
}

/** Links and folders may carry a size without content behind it, as old archives have it. */
function ignoredBytes(kind: TarKind, bytes: number): number {
  return kind === "directory" || kind === "link" || kind === "symlink" ? 0 : bytes;
}

async function readExtension(reader: ByteReader, bytes: number): Promise<Buffer> {
  if (bytes > extensionBytesMax) throw invalidImage("a layer has a header over 1 MiB");
  const content = await reader.read(padded(bytes));
  if (content.length < padded(bytes)) throw cut();
  return content.subarray(0, bytes);
}

/** Octal, or base-256 where the first bit is set, as GNU and star write large ones. */
function readNumber(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length);
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) {
    if (first === 0xff) return 0; // below zero: a time before 1970
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, first & 0x7f);
    if (!Number.isSafeInteger(value)) throw invalidImage("a layer has a number out of range");
    return value;
  }
  const text = untilZero(field).toString("latin1").trim();
  if (!/^[0-7]*$/.test(text)) throw invalidImage("a layer is not a whole tar archive");
  return text === "" ? 0 : Number.parseInt(text, 8);
}

/** The sum of all bytes with the field itself as spaces; old programs added signed bytes. */
function checkSum(block: Buffer): void {
  const expected = readNumber(block, 148, 8);
  let sum = 0;
  let signed = 0;
  for (let index = 0; index < blockBytes; index += 1) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  if (sum !== expected && signed !== expected) throw invalidImage("a layer is not a tar archive");
}

function untilZero(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

function cut(): Error {
  return invalidImage("a layer ends in the middle");
}
