import fc from "fast-check";
import { expect, it } from "vitest";
import { ByteCollector } from "../../../src/base/byte-collector.ts";

it("keeps what fits, in order, and counts the rest, whatever the chunks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.nat(300),
      fc.nat(600),
      (...given) => {
        const [chunks, max, expected] = given;
        const kept = new ByteCollector(max, expected);
        const left = chunks.reduce((sum, chunk) => sum + kept.push(chunk), 0);
        const all = Buffer.concat(chunks);
        expect(kept.bytes().equals(all.subarray(0, max))).toBe(true);
        expect(left).toBe(all.length - kept.length);
      },
    ),
  );
});

it("costs no more memory for many small chunks than for one large one", () => {
  const kept = new ByteCollector(1024 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  const byte = Buffer.of(7);
  for (let count = 0; count < 1024 * 1024; count += 1) kept.push(byte);
  expect(kept.length).toBe(1024 * 1024);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
});
