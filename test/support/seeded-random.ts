/** Random numbers that a seed repeats, for fuzz targets: mulberry32, small and good enough to choose bytes. */
export type Random = (below: number) => number;

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

/** The bytes in chunks of random length, 1 to `longest`. */
export function cutAtRandom(bytes: Buffer, random: Random, longest: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 1 + random(longest);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

/** One to four changes of the kinds that break parsers: other bytes, less, more, twice, shuffled. */
export function mutateBytes(seed: Buffer, random: Random, interesting: readonly number[]): Buffer {
  let bytes = Buffer.from(seed);
  for (let count = 1 + random(4); count > 0 && bytes.length > 0; count--) {
    const [a, b] = [random(bytes.length), random(bytes.length)];
    switch (random(6)) {
      case 0:
        bytes[a] = random(256);
        break;
      case 1:
        bytes[a] = interesting[random(interesting.length)] ?? 0;
        break;
      case 2:
        bytes = bytes.subarray(0, a);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, a), bytes.subarray(b)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, Math.max(a, b)), bytes.subarray(Math.min(a, b))]);
        break;
      default: {
        const more = Array.from({ length: 1 + random(16) }, () => random(256));
        bytes = Buffer.concat([bytes.subarray(0, a), Buffer.from(more), bytes.subarray(a)]);
      }
    }
  }
  return bytes;
}
