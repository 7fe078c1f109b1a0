/**
 * Fuzzes what takes a kernel out of a package's file: mutated files give a kernel or IMAGE_INVALID, within
 * the bound. FUZZ_MS sets how long, FUZZ_SEED where it starts; a failure prints its seed.
 */
import { expect, test } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { unpackKernel } from "../../src/vm/kernel/unpack-kernel.ts";
import { packKernel, wrapInBzImage } from "../support/pack-kernel.ts";
import { createRandom, mutateBytes } from "../support/seeded-random.ts";

const durationMs = Number(process.env["FUZZ_MS"] ?? 2000);
const firstSeed = Number(process.env["FUZZ_SEED"] ?? 1);
const bytesMax = 100_000;
const interesting = [0, 1, 0x0f, 0x1f, 0x7f, 0xf0, 0xff];
const kernel = Buffer.from(
  `\x7fELF${"of some length, with a repeating repeating part ".repeat(40)}`,
  "latin1",
);
/** matches too, which the packer of the tests does not make */
const matches = Buffer.from([
  ...[0x02, 0x21, 0x4c, 0x18, 14, 0, 0, 0],
  ...[0x4f, 0x7f, 0x45, 0x4c, 0x46, 0x04, 0x00, 0x20, 0x50, 1, 2, 3, 4, 5],
  ...[60, 0, 0, 0],
]);
const seeds = [
  packKernel(kernel, "lz4"),
  packKernel(kernel, "gzip"),
  packKernel(kernel, "zstd"),
  wrapInBzImage(matches),
];

test("any mutated file is a kernel or a refusal", () => {
  const outcomes = { kernels: 0, refusals: 0 };
  const end = performance.now() + durationMs;
  for (let seed = firstSeed; performance.now() < end || seed < firstSeed + 300; seed++) {
    const random = createRandom(seed);
    const start = seeds[random(seeds.length)] ?? Buffer.alloc(0);
    // most of the file is the header, which is soon no header any more: the payload is where to look
    const payload = start.subarray(1024 + 64);
    const spoilt =
      random(3) === 0
        ? mutateBytes(start, random, interesting)
        : Buffer.concat([start.subarray(0, 1024 + 64), mutateBytes(payload, random, interesting)]);
    try {
      expect(unpackKernel(spoilt, bytesMax).length, `seed ${seed}`).toBeLessThanOrEqual(bytesMax);
      outcomes.kernels += 1;
    } catch (error) {
      if (!isLuminaGuardError(error, "IMAGE_INVALID")) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      outcomes.refusals += 1;
    }
  }
  expect(outcomes.kernels).toBeGreaterThan(0);
  expect(outcomes.refusals).toBeGreaterThan(0);
});
