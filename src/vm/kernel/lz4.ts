/**
 * Reads LZ4 as kernels are packed with it: the legacy frame, which is a magic number and blocks that
 * each say how long they are. LZ4's documents lz4_Frame_format (legacy frame) and lz4_Block_format.
 */
import { LuminaGuardError } from "../../errors.ts";

/** first four bytes of a legacy frame, little-endian */
export const lz4LegacyMagic = 0x184c2102;
/** what one block of a legacy frame unpacks to at most, in `bytes` */
const blockBytesMax = 8 * 1024 ** 2;
/** lengths of this value go on in the next byte */
const lengthGoesOn = 15;
const matchBytesMin = 4;

/**
 * The frame's content, which is exactly `bytes` long; what follows it is not read. Raises
 * IMAGE_INVALID where it is not one.
 */
export function unpackLz4Legacy(frame: Buffer, bytes: number): Buffer {
  if (frame.length < 4 || frame.readUInt32LE(0) !== lz4LegacyMagic) throw broken("its first bytes");
  const out = Buffer.alloc(bytes);
  let at = 4;
  let filled = 0;
  while (filled < bytes) {
    if (at + 4 > frame.length) throw broken("a block's length");
    const packed = frame.readUInt32LE(at);
    at += 4;
    if (packed === 0 || at + packed > frame.length) throw broken("a block's length");
    const room = out.subarray(filled, Math.min(filled + blockBytesMax, bytes));
    filled += unpackBlock(frame.subarray(at, at + packed), room);
    at += packed;
  }
  return out;
}

/** Unpacks one block into `out`; gives how many bytes it was. A match reaches back into the block only. */
function unpackBlock(block: Buffer, out: Buffer): number {
  let at = 0;
  let filled = 0;
  const readLength = (first: number): number => {
    if (first !== lengthGoesOn) return first;
    let length = first;
    for (;;) {
      const more = block[at++];
      if (more === undefined) throw broken("a length");
      length += more;
      if (more !== 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = readLength(token >> 4);
    if (at + literals > block.length || filled + literals > out.length) throw broken("literals");
    block.copy(out, filled, at, at + literals);
    at += literals;
    filled += literals;
    if (at === block.length) return filled; // the last sequence has no match
    if (at + 2 > block.length) throw broken("a match");
    const offset = block.readUInt16LE(at);
    at += 2;
    const matched = readLength(token & 15) + matchBytesMin;
    if (offset === 0 || offset > filled || filled + matched > out.length) throw broken("a match");
    copyMatch(out, filled, offset, matched);
    filled += matched;
  }
  return filled;
}

/** What is copied may itself be what is being written: each time, only what is there already. */
function copyMatch(out: Buffer, to: number, offset: number, length: number): void {
  const from = to - offset;
  for (let done = 0; done < length;) {
    const step = Math.min(length - done, offset + done);
    out.copy(out, to + done, from, from + step);
    done += step;
  }
}

function broken(where: string): LuminaGuardError {
  return new LuminaGuardError("IMAGE_INVALID", `LZ4 data is broken at ${where}`);
}
