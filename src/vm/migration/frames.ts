/**
 * What two hosts say while a machine goes from one to the other, on one stream of bytes: messages of JSON
 * and, between them, the machine. A frame is its kind (1: message, 2: bytes), the length of what follows as
 * four bytes, the highest first, and what follows. Whoever sends it is not trusted.
 */
import { LuminaGuardError } from "../../errors.ts";

export type Frame =
  | { readonly kind: "message"; readonly message: unknown }
  /** a part of the machine, in whatever pieces it came */
  | { readonly kind: "bytes"; readonly bytes: Buffer };

const kinds = { message: 1, bytes: 2 } as const;
const headBytes = 5;
export const frameBytesMax: number = 1024 * 1024;
/** a message has the list of what was sent into the machine in it */
export const messageBytesMax: number = 64 * 1024 * 1024;

export function encodeMessage(message: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  if (text.length > messageBytesMax) {
    throw new LuminaGuardError("HOST_LIMIT", "what is said of the machine is too long to send");
  }
  return Buffer.concat([head(kinds.message, text.length), text]);
}

/** The head of a frame of that many bytes, at most `frameBytesMax`. */
export function encodeBytesHead(length: number): Buffer {
  return head(kinds.bytes, length);
}

function head(kind: number, length: number): Buffer {
  const bytes = Buffer.alloc(headBytes);
  bytes.writeUInt8(kind, 0);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** Bytes into frames, however they come. Raises WIRE_BROKEN and WIRE_LIMIT, and is of no use then. */
export class FrameReader {
  readonly #messageBytesMax: number;
  #head: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #missing = 0;
  #isMessage = false;
  #isWithin = false;

  /** @param bytesMax longest message: less for whoever has not shown who it is */
  constructor(bytesMax: number = messageBytesMax) {
    this.#messageBytesMax = bytesMax;
  }

  /** nothing of a frame is left that was not handed out */
  get isBetweenFrames(): boolean {
    return !this.#isWithin && this.#head.length === 0;
  }

  push(chunk: Buffer): readonly Frame[] {
    const frames: Frame[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#isWithin ? this.#takeBody(rest, frames) : this.#takeHead(rest, frames);
    }
    return frames;
  }

  #takeHead(chunk: Buffer, frames: Frame[]): Buffer {
    const needed = headBytes - this.#head.length;
    this.#head = Buffer.concat([this.#head, chunk.subarray(0, needed)]);
    if (this.#head.length < headBytes) return Buffer.alloc(0);
    const kind = this.#head.readUInt8(0);
    this.#missing = this.#head.readUInt32BE(1);
    this.#head = Buffer.alloc(0);
    if (kind !== kinds.message && kind !== kinds.bytes) {
      throw new LuminaGuardError("WIRE_BROKEN", `the other host sent a frame of kind ${kind}`);
    }
    this.#isMessage = kind === kinds.message;
    if (this.#missing > (this.#isMessage ? this.#messageBytesMax : frameBytesMax)) {
      throw new LuminaGuardError(
        "WIRE_LIMIT",
        `the other host sent ${this.#missing} bytes at once`,
      );
    }
    this.#isWithin = true;
    if (this.#missing === 0) this.#endBody(frames);
    return chunk.subarray(needed);
  }

  #takeBody(chunk: Buffer, frames: Frame[]): Buffer {
    const bytes = chunk.subarray(0, this.#missing);
    this.#missing -= bytes.length;
    if (this.#isMessage) this.#parts.push(bytes);
    else frames.push({ kind: "bytes", bytes });
    if (this.#missing === 0) this.#endBody(frames);
    return chunk.subarray(bytes.length);
  }

  #endBody(frames: Frame[]): void {
    this.#isWithin = false;
    if (!this.#isMessage) return;
    const text = Buffer.concat(this.#parts).toString("utf8");
    this.#parts = [];
    try {
      frames.push({ kind: "message", message: JSON.parse(text) as unknown });
    } catch (cause) {
      const broken = "the other host sent a message that is not JSON";
      throw new LuminaGuardError("WIRE_BROKEN", broken, { cause });
    }
  }
}
