/** Kernels packed as distributions pack them, small and of our own making. */
import { gzipSync } from "node:zlib";

/** Writes LZ4's legacy frame with literals only, which is what an encoder may do. */
export function packLz4Legacy(content: Buffer, blockBytes: number = 8 * 1024 ** 2): Buffer {
  const parts: Buffer[] = [Buffer.from([0x02, 0x21, 0x4c, 0x18])];
  for (let at = 0; at < content.length; at += blockBytes) {
    const block = packLiterals(content.subarray(at, at + blockBytes));
    parts.push(toUint32(block.length), block);
  }
  return Buffer.concat(parts);
}

function packLiterals(content: Buffer): Buffer {
  if (content.length < 15) return Buffer.concat([Buffer.from([content.length << 4]), content]);
  const more = content.length - 15;
  const lengths = Buffer.alloc(Math.floor(more / 255) + 1, 255);
  lengths[lengths.length - 1] = more % 255;
  return Buffer.concat([Buffer.from([0xf0]), lengths, content]);
}

export function toUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A bzImage of the boot protocol 2.15 around a payload. */
export function wrapInBzImage(payload: Buffer, protocol: number = 0x20f): Buffer {
  const setup = Buffer.alloc(2 * 512);
  setup.writeUInt8(1, 0x1f1);
  setup.write("HdrS", 0x202, "latin1");
  setup.writeUInt16LE(protocol, 0x206);
  setup.writeUInt32LE(64, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, Buffer.alloc(64), payload, Buffer.alloc(32)]);
}

/** Writes a zstd frame of one raw block, of 128 KiB at most (RFC 8878, 3.1.1). */
function packZstd(content: Buffer): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]);
  const block = toUint32((content.length << 3) | 1).subarray(0, 3);
  return Buffer.concat([head, toUint32(content.length), block, content]);
}

export type Packing = "lz4" | "gzip" | "zstd";

const packers = { lz4: packLz4Legacy, gzip: gzipSync, zstd: packZstd } as const;

export function packKernel(kernel: Buffer, packing: Packing): Buffer {
  const packed = packers[packing](kernel);
  // gzip has the size in it
  const size = packing === "gzip" ? Buffer.alloc(0) : toUint32(kernel.length);
  return wrapInBzImage(Buffer.concat([packed, size]));
}
