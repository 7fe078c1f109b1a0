/**
 * Bytes gathered into one growing buffer, up to a bound. Whoever sends them chooses the chunks: one
 * byte a chunk costs no more memory than one large chunk.
 */
export class ByteCollector {
  readonly #bytesMax: number;
  readonly #bytesFirst: number;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  /**
   * @param bytesExpected how many will come, if whoever sends them told the truth: then the buffer need
   * not grow, and memory is taken only as they come
   */
  constructor(bytesMax: number, bytesExpected = 0) {
    this.#bytesMax = bytesMax;
    this.#bytesFirst = Math.min(bytesMax, bytesExpected);
  }

  /** how many bytes are kept */
  get length(): number {
    return this.#length;
  }

  /** Keeps what there is room for; gives the number of bytes that were not kept. */
  push(chunk: Uint8Array): number {
    const part = chunk.subarray(0, this.#bytesMax - this.#length);
    const needed = this.#length + part.length;
    if (needed > this.#buffer.length) this.#grow(needed);
    this.#buffer.set(part, this.#length);
    this.#length = needed;
    return chunk.length - part.length;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #grow(needed: number): void {
    const wanted = Math.max(needed, this.#buffer.length * 2, this.#bytesFirst, 1024);
    const size = Math.min(this.#bytesMax, wanted);
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
