/** Reads a stream of pieces by counts of bytes. Holds no more than one piece and what was asked for. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = Buffer.alloc(0);
  #read = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** bytes given out so far */
  get position(): number {
    return this.#read;
  }

  /** The next bytes; fewer only at the end of the stream. */
  async read(bytes: number): Promise<Buffer> {
    if (this.#piece.length >= bytes) return this.#take(bytes);
    const parts: Buffer[] = [];
    for (let left = bytes; left > 0;) {
      if (this.#piece.length === 0 && !(await this.#fill())) break;
      const part = this.#take(Math.min(left, this.#piece.length));
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
  }

  /** The next bytes in pieces as they come; fewer only at the end of the stream. */
  async *pieces(bytes: number): AsyncGenerator<Buffer, void, undefined> {
    for (let left = bytes; left > 0;) {
      if (this.#piece.length === 0 && !(await this.#fill())) return;
      const part = this.#take(Math.min(left, this.#piece.length));
      left -= part.length;
      yield part;
    }
  }

  /** Passes over bytes; gives how many there were. */
  async skip(bytes: number): Promise<number> {
    let left = bytes;
    while (left > 0) {
      if (this.#piece.length === 0 && !(await this.#fill())) break;
      left -= this.#take(Math.min(left, this.#piece.length)).length;
    }
    return bytes - left;
  }

  /** Lets the source go. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  #take(bytes: number): Buffer {
    const { buffer, byteOffset } = this.#piece;
    const part = Buffer.from(buffer, byteOffset, bytes);
    this.#piece = this.#piece.subarray(bytes);
    this.#read += bytes;
    return part;
  }

  async #fill(): Promise<boolean> {
    for (;;) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#piece = next.value;
      if (next.value.length > 0) return true;
    }
  }
}
