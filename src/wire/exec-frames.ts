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

/**
 * Cuts bytes into frames, whatever the chunks they come in. A payload that comes in pieces is copied
 * once, into a buffer of its announced length: many small pieces cost no more than a few large ones.
 */
export class FrameDecoder {
  readonly #header: Buffer = Buffer.alloc(headerBytes);
  #headerLength = 0;
  #payload: Buffer | undefined;
  #payloadLength = 0;

  /** The frames that are whole now. Raises WIRE_LIMIT when a frame says it is over the bound. */
  push(chunk: Buffer): readonly Frame[] {
    const frames: Frame[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      const whole = this.#headerLength === 0 ? wholeFrame(rest) : undefined;
      if (whole === undefined) rest = this.#fill(rest, frames);
      else {
        frames.push(whole);
        rest = rest.subarray(headerBytes + whole.payload.length);
      }
    }
    return frames;
  }

  /** Raises WIRE_BROKEN when the stream ended inside a frame. */
  end(): void {
    if (this.#headerLength === 0) return;
    throw new LuminaGuardError("WIRE_BROKEN", "the guest's stream ended inside a frame");
  }

  /** Takes what belongs to the frame under way; gives the rest. */
  #fill(bytes: Buffer, frames: Frame[]): Buffer {
    let at = 0;
    if (this.#payload === undefined) {
      at = bytes.copy(this.#header, this.#headerLength);
      this.#headerLength += at;
      if (this.#headerLength < headerBytes) return bytes.subarray(at);
      this.#payload = Buffer.allocUnsafeSlow(checkedLength(this.#header));
    }
    const copied = bytes.copy(this.#payload, this.#payloadLength, at);
    this.#payloadLength += copied;
    if (this.#payloadLength === this.#payload.length) {
      frames.push({ type: this.#header.readUInt8(0), payload: this.#payload });
      this.#headerLength = 0;
      this.#payload = undefined;
      this.#payloadLength = 0;
    }
    return bytes.subarray(at + copied);
  }
}

/** The frame at the front, if all of it is there. */
function wholeFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < headerBytes) return undefined;
  const end = headerBytes + checkedLength(bytes);
  if (bytes.length < end) return undefined;
  return { type: bytes.readUInt8(0), payload: bytes.subarray(headerBytes, end) };
}

function checkedLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(1);
  if (length <= framePayloadBytesMax) return length;
  throw new LuminaGuardError("WIRE_LIMIT", `the guest announced a frame of ${length} bytes`, {
    details: { length, max: framePayloadBytesMax },
  });
}
