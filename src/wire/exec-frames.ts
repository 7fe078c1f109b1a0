/**
 * The frames of an exec stream: one byte type, four bytes length (big endian), payload. See
 * docs/wire.md. The decoder takes bytes from a hostile guest in any chunking; a frame over the bound
 * is refused before its payload is awaited.
 */
import { LuminaGuardError } from "../errors.ts";

export const frameTypes = {
  start: 0x00,
  stdin: 0x01,
  stdinEnd: 0x02,
  signal: 0x03,
  resize: 0x04,
  started: 0x10,
  stdout: 0x11,
  stderr: 0x12,
  exit: 0x13,
  failed: 0x14,
} as const;

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

const headerBytes = 5;
/** largest payload in `bytes`, as docs/wire.md says */
export const framePayloadBytesMax: number = 1024 * 1024;

export function encodeFrame(type: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, headerBytes);
  return frame;
}

/** Cuts bytes into frames, whatever the chunks they come in. */
export class FrameDecoder {
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  /** The frames that are whole now. Raises WIRE_LIMIT when a frame says it is over the bound. */
  push(chunk: Buffer): readonly Frame[] {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < headerBytes) return [];
    const frames: Frame[] = [];
    let bytes = this.#pending.length === 1 ? chunk : this.#joinWhenWhole();
    while (bytes.length >= headerBytes) {
      const length = checkedLength(bytes);
      if (bytes.length < headerBytes + length) break;
      const payload = bytes.subarray(headerBytes, headerBytes + length);
      frames.push({ type: bytes.readUInt8(0), payload });
      bytes = bytes.subarray(headerBytes + length);
    }
    this.#pending = bytes.length === 0 ? [] : [bytes];
    this.#pendingBytes = bytes.length;
    return frames;
  }

  /** Raises WIRE_BROKEN when the stream ended inside a frame. */
  end(): void {
    if (this.#pendingBytes === 0) return;
    throw new LuminaGuardError("WIRE_BROKEN", "the guest's stream ended inside a frame");
  }

  #joinWhenWhole(): Buffer {
    const joined = Buffer.concat(this.#pending);
    this.#pending = [joined];
    return joined;
  }
}

function checkedLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(1);
  if (length <= framePayloadBytesMax) return length;
  throw new LuminaGuardError("WIRE_LIMIT", `the guest announced a frame of ${length} bytes`, {
    details: { length, max: framePayloadBytesMax },
  });
}
