/** Two ends of a byte channel in memory: what one writes, the other reads. */
import { Duplex } from "node:stream";

class End extends Duplex {
  other: End | undefined;

  override _read(): void {
    // bytes are pushed by the other end
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.other?.push(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }
}

export function createDuplexPair(): readonly [Duplex, Duplex] {
  const [one, other] = [new End(), new End()];
  one.other = other;
  other.other = one;
  return [one, other];
}
