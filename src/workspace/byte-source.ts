/** Bytes of a stream in the pieces its reader wants, never holding more than one piece and one chunk. */
import { LuminaGuardError } from "../errors.ts";

/** CHANGES_HOSTILE: the stream is not what the protocol says. */
export function hostile(what: string): LuminaGuardError {
  return new LuminaGuardError("CHANGES_HOSTILE", `the machine sent ${what} instead of its files`, {
    hint: "nothing was changed on the host; run the command again, and distrust what ran in it",
    details: { what },
  });
}

export class ByteSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#iterator = chunks[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes; the caller bounds `length`. */
  async take(length: number, what: string): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const part = await this.#next(missing);
      if (part === undefined) throw hostile(`half of ${what}`);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** The next `length` bytes as they come; tells how many were handed out. */
  async *stream(length: number, onTaken: (count: number) => void): AsyncGenerator<Uint8Array> {
    let missing = length;
    while (missing > 0) {
      const part = await this.#next(missing);
      if (part === undefined) throw hostile("half of a file");
      missing -= part.length;
      onTaken(part.length);
      yield part;
    }
  }

  async skip(length: number): Promise<void> {
    let missing = length;
    while (missing > 0) {
      const part = await this.#next(missing);
      if (part === undefined) throw hostile("half of a file");
      missing -= part.length;
    }
  }

  /** Everything up to the end of the stream. */
  async *rest(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const part = await this.#next(Number.MAX_SAFE_INTEGER);
      if (part === undefined) return;
      yield part;
    }
  }

  /** Lets go of the stream, whether or not it was read to its end. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  /** At most `length` bytes; undefined at the end. */
  async #next(length: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return undefined;
      this.#chunk = next.value;
    }
    const part = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }
}
