/** Extended headers of tar archives: records that replace or add to an entry's own fields. */
import { invalidImage } from "./invalid.ts";

export type PaxRecords = Map<string, Buffer>;

interface PlainFacts {
  readonly path: Buffer;
  readonly linkpath: Buffer;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeS: number;
  readonly bytes: number;
}

interface EntryFacts {
  readonly path: string;
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeS: number;
  readonly bytes: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

const xattrPrefix = "SCHILY.xattr.";
/** of one entry, in `bytes`; Linux keeps 64 KiB in a value (XATTR_SIZE_MAX) */
const xattrBytesMax: number = 128 * 1024;
const recordsMax = 4096;
const number32Max = 0xffff_ffff;

/** Each record is its own length, a space, `key=value` and a newline. */
export function parsePax(bytes: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : bytes.toString("latin1", at, space);
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    const isWhole =
      /^\d{1,7}$/.test(digits) && end <= bytes.length && equals > space && equals < end;
    if (!isWhole || bytes[end - 1] !== 0x0a || records.size >= recordsMax) throw broken();
    records.set(bytes.toString("utf8", space + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** The entry's facts with the records over them. */
export function applyPax(plain: PlainFacts, records: PaxRecords): EntryFacts {
  for (const key of records.keys()) {
    if (key.startsWith("GNU.sparse.")) throw invalidImage("a layer has sparse files");
  }
  const xattrs = new Map<string, Buffer>();
  let xattrBytes = 0;
  for (const [key, value] of records) {
    if (!key.startsWith(xattrPrefix)) continue;
    const name = key.slice(xattrPrefix.length);
    xattrBytes += name.length + value.length;
    if (name.length > 255 || xattrBytes > xattrBytesMax)
      throw invalidImage("a layer has extended attributes that are too large");
    xattrs.set(name, Buffer.from(value));
  }
  return {
    path: decodeName(records.get("path") ?? plain.path),
    target: decodeName(records.get("linkpath") ?? plain.linkpath),
    uid: within32(numberOf(records, "uid", plain.uid)),
    gid: within32(numberOf(records, "gid", plain.gid)),
    mtimeS: clampTime(numberOf(records, "mtime", plain.mtimeS)),
    bytes: numberOf(records, "size", plain.bytes),
    xattrs,
  };
}

function numberOf(records: PaxRecords, key: string, plain: number): number {
  const text = records.get(key)?.toString("latin1");
  if (text === undefined || text === "") return plain;
  if (!/^-?\d{1,16}(?:\.\d*)?$/.test(text)) throw broken();
  const value = Math.floor(Number(text));
  if (key !== "mtime" && value < 0) throw broken();
  return value;
}

/** UTF-8 only: a name in another encoding would not come out as it went in. */
function decodeName(bytes: Buffer): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch (error) {
    throw invalidImage("a layer has a file name that is not UTF-8", { cause: error });
  }
  throw invalidImage("a layer has a file name with a NUL in it");
}

function within32(value: number): number {
  if (value > number32Max) throw invalidImage("a layer has an owner whose number is out of range");
  return value;
}

function clampTime(value: number): number {
  return Math.min(Math.max(value, 0), number32Max);
}

function broken(): Error {
  return invalidImage("a layer's extended header is broken");
}
