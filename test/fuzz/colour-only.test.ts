/**
 * Fuzzes what stands between a machine's output and a person's terminal: whatever comes in, what goes
 * out is UTF-8 with colours and no other control, in any chunking, and plain text after it gets through.
 * FUZZ_MS sets how long, FUZZ_SEED where it starts; a failure prints its seed.
 */
import { expect, test } from "vitest";
import { ColourOnlyFilter } from "../../src/tui/colour-only.ts";
import { createRandom, cutAtRandom, mutateBytes } from "../support/seeded-random.ts";
import { findUnsafe } from "../support/shown-text.ts";

const durationMs = Number(process.env["FUZZ_MS"] ?? 2000);
const firstSeed = Number(process.env["FUZZ_SEED"] ?? 1);
const interesting = [
  ...[0x00, 0x07, 0x0a, 0x18, 0x1a, 0x1b, 0x20, 0x30, 0x3b, 0x3f, 0x40, 0x4a, 0x50, 0x5b, 0x5c],
  ...[0x5d, 0x5e, 0x5f, 0x6d, 0x7f, 0x80, 0x90, 0x98, 0x9b, 0x9c, 0x9d, 0xa0, 0xc0, 0xc1, 0xc2],
  ...[0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff],
];
const said = Buffer.from(
  "\u001b[1;32mok\u001b[0m é 日 👍 \u001b]0;title\u0007 \u001b[2J \u009b31mx \u001bP q\u001b\\ end\n",
);

test("no mutated output reaches a terminal as anything but text and colours", () => {
  const end = performance.now() + durationMs;
  let colours = 0;
  for (let seed = firstSeed; performance.now() < end || seed < firstSeed + 500; seed++) {
    const random = createRandom(seed);
    const bytes = mutateBytes(said, random, interesting);
    const whole = new ColourOnlyFilter().push(bytes);
    expect(findUnsafe(whole), `seed ${seed}`).toBeUndefined();
    const filter = new ColourOnlyFilter();
    const parts = cutAtRandom(bytes, random, 1 + random(9)).map((chunk) => filter.push(chunk));
    expect(Buffer.concat(parts).equals(whole), `seed ${seed}`).toBe(true);
    // whatever state it is in, the end of a string and a line brings text back
    filter.push(Buffer.from("\u0007\u001b\\"));
    expect(filter.push(Buffer.from("then\n")).toString(), `seed ${seed}`).toBe("then\n");
    if (whole.includes(0x1b)) colours += 1;
  }
  // colours pass, else it fuzzes nothing
  expect(colours).toBeGreaterThan(100);
});
