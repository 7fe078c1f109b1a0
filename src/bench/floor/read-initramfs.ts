/**
 * Reads files out of an initramfs that this project wrote: a newc archive, not compressed.
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
 */
import { LuminaGuardError } from "../../errors.ts";

const magic = "070701";
const headerBytes = 110;
const field = { size: 6, nameSize: 11 } as const;

/** The regular contents by path, without a leading slash. Raises IMAGE_INVALID. */
export function readInitramfs(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  let at = 0;
  while (bytes.toString("latin1", at, at + magic.length) === magic) {
    const size = readField(bytes, at, field.size);
    const nameSize = readField(bytes, at, field.nameSize);
    const name = bytes.toString("utf8", at + headerBytes, at + headerBytes + nameSize - 1);
    const start = align(at + headerBytes + nameSize);
    if (name === "TRAILER!!!") return files;
    if (size > 0) files.set(name, bytes.subarray(start, start + size));
    at = align(start + size);
  }
  throw new LuminaGuardError("IMAGE_INVALID", "the image's initramfs has no end", {
    hint: "build it again: luminaguard image build base",
  });
}

function readField(bytes: Buffer, at: number, index: number): number {
  const start = at + magic.length + index * 8;
  return Number.parseInt(bytes.toString("latin1", start, start + 8), 16);
}

function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
