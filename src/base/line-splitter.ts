/**
 * Bytes cut into lines, however they come: a line is whole once its line end was seen, and never
 * longer than a bound. Of a longer one the beginning is handed over once, the rest is skipped.
 */
import { ByteCollector } from "./byte-collector.ts";

export interface LineSplitterOptions {
  /** longest line in `bytes`, its line end not counted */
  readonly lineBytesMax: number;
  /** a line without its line end; the bytes are valid until this returns */
  readonly onLine: (line: Buffer) => void;
  /** the first `lineBytesMax` bytes of a line that is longer, as soon as that is known */
  readonly onTooLong: (beginning: Buffer) => void;
}

const lineEnd = 0x0a;

export class LineSplitter {
  readonly #options: LineSplitterOptions;
  #partial: ByteCollector;
  #isSkipping = false;

  constructor(options: LineSplitterOptions) {
    this.#options = options;
    this.#partial = new ByteCollector(options.lineBytesMax);
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(lineEnd); at !== -1; at = chunk.indexOf(lineEnd, from)) {
      const rest = chunk.subarray(from, at);
      from = at + 1;
      this.#endLine(rest);
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  /** What came after the last line end is a line too: no more bytes will come. */
  end(): void {
    if (this.#partial.length > 0) this.#endLine(Buffer.alloc(0));
  }

  #endLine(rest: Buffer): void {
    const { lineBytesMax, onLine } = this.#options;
    if (!this.#isSkipping && this.#partial.length === 0 && rest.length <= lineBytesMax) {
      onLine(rest); // the usual case: nothing is copied
      return;
    }
    this.#keep(rest);
    if (this.#isSkipping) this.#isSkipping = false;
    else onLine(this.#take());
  }

  #keep(part: Buffer): void {
    if (this.#isSkipping || this.#partial.push(part) === 0) return;
    this.#isSkipping = true;
    this.#options.onTooLong(this.#take());
  }

  #take(): Buffer {
    const bytes = this.#partial.bytes();
    this.#partial = new ByteCollector(this.#options.lineBytesMax);
    return bytes;
  }
}
