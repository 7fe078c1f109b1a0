import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ColourOnlyFilter } from "../../../src/tui/colour-only.ts";
import { findUnsafe } from "../../support/shown-text.ts";

function filter(...chunks: readonly (string | Uint8Array)[]): string {
  const colours = new ColourOnlyFilter();
  return Buffer.concat(chunks.map((chunk) => colours.push(Buffer.from(chunk)))).toString("utf8");
}

/** Pieces of what terminals obey, and what they show. */
const pieces = fc.oneof(
  fc.constantFrom<number[]>(
    ...[[0x1b], [0x1b, 0x5b], [0x1b, 0x5d], [0x9b], [0xc2], [0xc2, 0x9b], [0xc2, 0x9d], [0x6d]],
    ...[[0x5c], [0x07], [0x33, 0x31], [0x3b], [0x3f], [0x0a], [0x18], [0xe2, 0x82], [0xf0, 0x9f]],
  ),
  fc.string({ unit: "grapheme", maxLength: 4 }).map((text) => [...Buffer.from(text)]),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 4 }),
);
const streams = fc.array(pieces, { maxLength: 30 }).map((parts) => Buffer.from(parts.flat()));

describe("a machine's output on a terminal", () => {
  it("keeps text, line ends, tabs and colours", () => {
    const text =
      "plain\ttext\r\n\u001b[1;31mred\u001b[0m \u001b[38:2::1:2:3mrgb\u001b[m über 日本 👩‍🚀";
    expect(filter(text)).toBe(text);
  });

  it("keeps any text that has no controls", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        fc.pre(!/[\p{Cc}\p{Cs}]/u.test(text));
        expect(filter(text)).toBe(text);
      }),
    );
  });

  it.each([
    ["a cursor move", "a\u001b[2Jb\u001b[1;1Hc", "abc"],
    ["a title", "a\u001b]0;title\u0007b\u001b]2;title\u001b\\c", "abc"],
    ["a clipboard write", "a\u001b]52;c;aGk=\u0007b", "ab"],
    ["a report that types", "a\u001b[6nb\u001b[cc\u001bZd", "abcd"],
    ["device control", "a\u001bP+q544e\u001b\\b", "ab"],
    ["a character set", "a\u001b(0b", "ab"],
    ["a bell and a backspace", "a\u0007b\u0008\u0008c", "abc"],
    ["an 8-bit control sequence", "a\u009b2Jb", "ab"],
    ["an 8-bit system command", "a\u009d0;title\u0007b", "ab"],
    ["a private mode", "a\u001b[?1049hb", "ab"],
    ["a colour that is none", "a\u001b[>4;1mb\u001b[?4mc", "abc"],
    ["a colour without end", `a\u001b[${"1".repeat(200)}mb`, `a${"1".repeat(135)}mb`],
  ])("has no %s", (_what, said, shown) => {
    expect(filter(said)).toBe(shown);
  });

  it("has 8-bit colours as 7-bit ones", () => {
    expect(filter("\u009b31mred")).toBe("\u001b[31mred");
  });

  it.each([
    ["C2 C2 9B", [0xc2, 0xc2, 0x9b, 0x32, 0x4a]],
    ["a lone 9B", [0x9b, 0x32, 0x4a]],
    ["a long form of U+009B", [0xe0, 0x82, 0x9b, 0x32, 0x4a]],
    ["9B after an escape", [0x1b, 0x9b, 0x32, 0x4a]],
    ["9B in a control sequence", [0x1b, 0x5b, 0x9b, 0x32, 0x4a]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a character beyond the last", [0xf4, 0x90, 0x80, 0x80]],
  ])("smuggles no control in bytes that are no character: %s", (_what, bytes) => {
    const shown = new ColourOnlyFilter().push(Buffer.from(bytes));
    expect(findUnsafe(shown)).toBeUndefined();
  });

  it("says with a replacement character where bytes were no character", () => {
    expect(filter(Buffer.from([0x61, 0xff, 0x62, 0xc3, 0x63]))).toBe("a\ufffdb\ufffdc");
  });

  it("keeps a line end that breaks a sequence off", () => {
    expect(filter("a\u001b\nb\u001b[31\nc")).toBe("a\nb\nc");
  });

  it("is safe whatever is said", () => {
    fc.assert(
      fc.property(streams, (said) => {
        expect(findUnsafe(new ColourOnlyFilter().push(said))).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it("is the same in any chunking", () => {
    const cuts = fc.array(fc.nat(40), { maxLength: 8 });
    fc.assert(
      fc.property(streams, cuts, (said, at) => {
        const places = [0, ...at.sort((a, b) => a - b), said.length];
        const chunks = places.slice(1).map((end, index) => said.subarray(places[index], end));
        expect(filter(...chunks)).toBe(filter(said));
      }),
    );
  });
});
