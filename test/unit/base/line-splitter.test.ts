import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter } from "../../../src/base/line-splitter.ts";

function split(chunks: readonly Uint8Array[], lineBytesMax = 8): string[] {
  const seen: string[] = [];
  const lines = new LineSplitter({
    lineBytesMax,
    onLine: (line) => seen.push(line.toString("latin1")),
    onTooLong: (line) => seen.push(`${line.toString("latin1")}…`),
  });
  for (const chunk of chunks) lines.push(Buffer.from(chunk));
  lines.end();
  return seen;
}

/** The same text, cut anywhere. */
function cutAnywhere(text: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  return [...at, text.length].map((to, index) => text.subarray(at[index - 1] ?? 0, to));
}

describe("lines", () => {
  it("are whole when their end is seen, and with the last byte", () => {
    const chunks = ["on", "e\ntwo\n\nth", "ree"].map((part) => Buffer.from(part));
    expect(split(chunks)).toEqual(["one", "two", "", "three"]);
    expect(split([])).toEqual([]);
  });

  it("that are too long are begun once and skipped", () => {
    expect(split([Buffer.from("123456789\nok\n12345678\n")])).toEqual([
      "12345678…",
      "ok",
      "12345678",
    ]);
    const byByte = [...Buffer.from("123456789abc\nok\n")].map((byte) => Buffer.from([byte]));
    expect(split(byByte)).toEqual(["12345678…", "ok"]);
  });

  it("are the same however the bytes come, and within the bound", () => {
    const bytes = fc.array(fc.constantFrom("\n", "\n", "a", "b", "\0", "\u00ff"), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 12 }), (characters, cuts) => {
        const text = Buffer.from(characters.join(""), "latin1");
        const whole = text
          .toString("latin1")
          .split("\n")
          .map((line) => (line.length > 8 ? `${line.slice(0, 8)}…` : line));
        if (whole.at(-1) === "") whole.pop();
        expect(split(cutAnywhere(text, cuts))).toEqual(whole);
      }),
    );
  });
});
