/**
 * A tar stream from a hostile machine, entry by entry. Strict where tar readers differ: one meaning or
 * CHANGES_HOSTILE. Memory is one chunk and one extended header, whatever the stream says.
 *
 *   header 512 | content, filled to 512 |  …  | 512 zeroes | 512 zeroes | zeroes
 */
import { ByteSource, hostile } from "./byte-source.ts";
import { tarBlockBytes } from "./tar-writer.ts";

export type TarItemKind =
  | "file"
  | "folder"
  | "link"
  | "hard link"
  | "device"
  | "named pipe"
  | "sparse file"
  | "unknown kind";

export interface TarItem {
  readonly kind: TarItemKind;
  /** as spelled, with U+FFFD for what is not UTF-8 */
  readonly name: string;
  /** what a link points to */
  readonly target: string;
  readonly mode: number;
  /** content size in `bytes` */
  readonly size: number;
  /** the content; what is not read is skipped */
  readonly content: AsyncIterable<Uint8Array>;
}

/** largest extended header in `bytes` */
const extendedBytesMax = 64 * 1024;
/** most zeroes after the end in `bytes` */
const trailerBytesMax = 1024 * 1024;

const kinds: Readonly<Record<string, TarItemKind>> = {
  "0": "file",
  "\0": "file",
  "1": "hard link",
  "2": "link",
  "3": "device",
  "4": "device",
  "5": "folder",
  "6": "named pipe",
};

export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarItem> {
  const source = new ByteSource(chunks);
  let extended: ReadonlyMap<string, string> | undefined;
  try {
    for (;;) {
      const block = await source.take(tarBlockBytes, "a header");
      if (isZero(block)) break;
      const type = checkBlock(block);
      if (type === "x") {
        if (extended !== undefined) throw hostile("two extended headers in a row");
        extended = await readExtended(source, readNumber(block, 124, 12));
        continue;
      }
      const item = describe(block, type, extended ?? new Map<string, string>());
      extended = undefined;
      let left = item.size;
      yield {
        ...item,
        content: source.stream(item.size, (count) => {
          left -= count;
        }),
      };
      await source.skip(left);
      await takePadding(source, item.size);
    }
    if (extended !== undefined) throw hostile("an extended header without its entry");
    await expectEnd(source);
  } finally {
    await source.close();
  }
}

/** Checks sum and magic; gives the type flag. */
function checkBlock(block: Buffer): string {
  const magic = block.toString("latin1", 257, 263);
  if (magic !== "ustar\0" && magic !== "ustar ") throw hostile("a header that is not tar");
  let sum = 8 * 32;
  for (let at = 0; at < tarBlockBytes; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  if (sum !== readNumber(block, 148, 8)) throw hostile("a header with a wrong checksum");
  return block.toString("latin1", 156, 157);
}

function describe(
  block: Buffer,
  type: string,
  extended: ReadonlyMap<string, string>,
): Omit<TarItem, "content"> {
  if (type === "g" || type === "L" || type === "K") throw hostile(`a header of type ${type}`);
  const isSparse = [...extended.keys()].some((key) => key.startsWith("GNU.sparse."));
  const kind = isSparse ? "sparse file" : (kinds[type] ?? "unknown kind");
  const size = readSize(extended.get("size")) ?? readNumber(block, 124, 12);
  if (size !== 0 && !isSparse && kind !== "file") throw hostile(`content after a ${kind}`);
  const name = extended.get("path") ?? readName(block);
  const target = extended.get("linkpath") ?? readText(block, 157, 100);
  return { kind, name, target, mode: readNumber(block, 100, 8) & 0o7777, size };
}

/** The short name after its prefix, which only ustar has. */
function readName(block: Buffer): string {
  const prefix = block[262] === 0 ? readText(block, 345, 155) : "";
  return (prefix === "" ? "" : `${prefix}/`) + readText(block, 0, 100);
}

async function readExtended(
  source: ByteSource,
  size: number,
): Promise<ReadonlyMap<string, string>> {
  if (size > extendedBytesMax) throw hostile("an extended header that is too long");
  const bytes = await source.take(size, "an extended header");
  await takePadding(source, size);
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : bytes.toString("latin1", at, space);
    const end = at + Number(digits);
    if (!/^[1-9][0-9]{0,5}$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a) {
      throw hostile("a malformed extended header");
    }
    const record = bytes.toString("utf8", space + 1, end - 1);
    const equals = record.indexOf("=");
    if (space >= end || equals <= 0) throw hostile("a malformed extended header");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

async function takePadding(source: ByteSource, size: number): Promise<void> {
  const rest = size % tarBlockBytes;
  if (rest !== 0) await source.take(tarBlockBytes - rest, "padding");
}

async function expectEnd(source: ByteSource): Promise<void> {
  if (!isZero(await source.take(tarBlockBytes, "the end"))) throw hostile("half an end");
  let trailing = 0;
  for await (const chunk of source.rest()) {
    trailing += chunk.length;
    if (trailing > trailerBytesMax || !isZero(chunk)) throw hostile("bytes after the end");
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function readText(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}

function readNumber(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) return readBinary(field);
  const text = field
    .toString("latin1")
    .replace(/^ +/, "")
    .replace(/[ \0]+$/, "");
  if (text !== "" && !/^[0-7]+$/.test(text)) throw hostile("a header with a malformed number");
  return text === "" ? 0 : parseInt(text, 8);
}

/** Base 256 after a first byte of 0x80; negative numbers have no meaning here. */
function readBinary(field: Buffer): number {
  let value = (field[0] ?? 0) & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw hostile("a header with a number out of range");
  return value;
}

function readSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(size)) throw hostile("a header with a malformed size");
  return size;
}
