import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeText } from "../../../src/base/escape-text.ts";
import { drawDiffLine } from "../../../src/tui/diff-lines.ts";
import { line, paintLine, widthOf, wrapLine } from "../../../src/tui/line.ts";
import { createStyle } from "../../../src/tui/style.ts";
import { loadColours } from "../../../src/tui/syntax-colour.ts";
import { findHidden } from "../../support/shown-text.ts";

const style = createStyle(true);
// eslint-disable-next-line no-control-regex -- colours start with one
const strip = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, "");
const code = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(..."<>&\"'/*#`$ =(){}\u202eaxf0".split("")), maxLength: 40 }),
  fc.constantFrom('const a = "<b>&amp;"; // x', "def f(x): return '''", "<p class='x'>&lt;</p>"),
);

describe("a line of a difference", () => {
  it.each(["a.ts", "a.py", "a.html", "a.yml", "Makefile", "a.sh", "a.rs", "a.unknown"])(
    "of %s has the characters of its escaped text, whatever the colours",
    async (name) => {
      const colour = await loadColours(name);
      fc.assert(
        fc.property(code, (text) => {
          const shown = strip(
            paintLine(drawDiffLine({ kind: "added", text, hasNoNewline: false }, colour), style),
          );
          expect(shown).toBe(`+${escapeText(text, { keep: "\t" }).replaceAll("\t", "→   ")}`);
          expect(findHidden(shown)).toBeUndefined();
        }),
        { numRuns: 300 },
      );
    },
  );

  it("is coloured by its language, and not when it is very long", async () => {
    const colour = await loadColours("src/a.ts");
    expect(colour("const x = 1;").map(({ paint }) => paint)).toContain("magenta");
    expect(colour(`const x = "${"y".repeat(2000)}";`)).toHaveLength(1);
  });
});

describe("a line on rows", () => {
  it("loses nothing, and no row is wider than the screen", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", " ", "日", "é", "😀", "─"),
      maxLength: 200,
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 12, max: 90 }), (long, columns) => {
        const rows = wrapLine(line(long, "red", 4), columns).map(({ spans }) =>
          spans.map((span) => span.text).join(""),
        );
        for (const row of rows) expect(widthOf(row)).toBeLessThanOrEqual(columns);
        expect(rows.map((row, at) => (at === 0 ? row : row.slice(4))).join("")).toBe(long);
      }),
    );
  });
});
