/**
 * Writes cpio archives in the "newc" format, which the kernel unpacks as its first root file
 * system. The same entries always give the same bytes: sorted by path, times 0, inode numbers
 * counted from 1. Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
 *
 *   "070701" · 13 numbers of 8 hex digits · name NUL · pad to 4 · content · pad to 4
 */
import { LuminaGuardError } from "../errors.ts";

interface CpioOwner {
  /** path without leading or trailing slash */
  readonly path: string;
  /** permission bits
   * @default 0o755 (0o777 of a symlink, 0o644 of a file) */
  readonly mode?: number;
  /** @default 0 */
  readonly uid?: number;
  /** @default 0 */
  readonly gid?: number;
}

export type CpioEntry =
  | (CpioOwner & { readonly kind: "directory" })
  | (CpioOwner & { readonly kind: "file"; readonly content: Uint8Array })
  | (CpioOwner & { readonly kind: "symlink"; readonly target: string })
  | (CpioOwner & {
      readonly kind: "character-device";
      readonly major: number;
      readonly minor: number;
    });

const typeBits = {
  directory: 0o040000,
  file: 0o100000,
  symlink: 0o120000,
  "character-device": 0o020000,
} as const;
const defaultMode = { directory: 0o755, file: 0o644, symlink: 0o777, "character-device": 0o600 };
const trailerName = "TRAILER!!!";
const blockBytes = 512;
/** the format holds 32 bits; the kernel's own limit on a path is PATH_MAX */
const contentBytesMax = 0xffff_ffff;
const nameBytesMax = 4095;

/** One archive of all entries; refuses a path that is twice in it or whose folder is missing. */
export function encodeCpio(entries: readonly CpioEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) =>
    Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)),
  );
  checkPaths(sorted);
  const parts: Buffer[] = [];
  sorted.forEach((entry, index) => {
    const content = contentOf(entry);
    const header = encodeHeader({
      inode: index + 1,
      mode: typeBits[entry.kind] | (entry.mode ?? defaultMode[entry.kind]),
      uid: entry.uid ?? 0,
      gid: entry.gid ?? 0,
      bytes: content.length,
      device: entry.kind === "character-device" ? [entry.major, entry.minor] : [0, 0],
      name: entry.path,
    });
    parts.push(header, content, padding(content.length, 4));
  });
  parts.push(
    encodeHeader({
      inode: 0,
      mode: 0,
      uid: 0,
      gid: 0,
      bytes: 0,
      device: [0, 0],
      name: trailerName,
    }),
  );
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(padding(bytes, blockBytes));
  return Buffer.concat(parts);
}

interface CpioHeader {
  readonly inode: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly bytes: number;
  readonly device: readonly [major: number, minor: number];
  readonly name: string;
}

function encodeHeader(header: CpioHeader): Buffer {
  const name = Buffer.from(`${header.name}\0`);
  const links = header.inode === 0 ? 0 : 1;
  const numbers = [
    header.inode,
    header.mode,
    header.uid,
    header.gid,
    links,
    0, // time
    header.bytes,
    0, // device that holds the file, major
    0, // … minor
    ...header.device,
    name.length,
    0, // checksum, unused by newc
  ];
  const text = `070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([Buffer.from(text), name, padding(text.length + name.length, 4)]);
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.kind === "symlink") return Buffer.from(entry.target);
  if (entry.kind !== "file") return Buffer.alloc(0);
  const { buffer, byteOffset, byteLength } = entry.content;
  return Buffer.from(buffer, byteOffset, byteLength);
}

function padding(bytes: number, boundary: number): Buffer {
  return Buffer.alloc((boundary - (bytes % boundary)) % boundary);
}

function checkPaths(sorted: readonly CpioEntry[]): void {
  const folders = new Set([""]);
  const seen = new Set<string>();
  for (const entry of sorted) {
    const { path } = entry;
    const parts = path.split("/");
    const odd = path.includes("\0") || parts.some((part) => ["", ".", ".."].includes(part));
    if (odd || Buffer.byteLength(path) > nameBytesMax || path === trailerName)
      refuse(entry, "a path that cannot be stored");
    if (seen.has(path)) refuse(entry, "a path that is there twice");
    if (!folders.has(parts.slice(0, -1).join("/"))) refuse(entry, "no folder to be in");
    if (entry.kind === "file" && entry.content.length > contentBytesMax)
      refuse(entry, "over 4 GiB");
    seen.add(path);
    if (entry.kind === "directory") folders.add(path);
  }
}

function refuse(entry: CpioEntry, why: string): never {
  throw new LuminaGuardError(
    "IMAGE_BUILD_FAILED",
    `initramfs entry ${JSON.stringify(entry.path)} has ${why}`,
  );
}
