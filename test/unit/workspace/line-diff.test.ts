import { applyPatch } from "diff";
import type { StructuredPatch } from "diff";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffLines } from "../../../src/workspace/line-diff.ts";
import type { DiffHunk } from "../../../src/workspace/line-diff.ts";
import { applyHunks } from "../../../src/workspace/narrow.ts";

const line = fc.constantFrom("a", "b", "c", "", "}", "\t\r", "x".repeat(30), "é\u2028");
const end = fc.constantFrom("", "\n");
const text = fc
  .tuple(fc.array(line, { maxLength: 30 }), end)
  .map(([lines, last]) => lines.join("\n") + last);

/** Another program's words for the same hunks. */
function toPatch(hunks: readonly DiffHunk[]): StructuredPatch {
  const signs = { context: " ", added: "+", removed: "-" };
  return {
    ...{ oldFileName: "a", newFileName: "a", index: undefined },
    ...{ oldHeader: undefined, newHeader: undefined },
    hunks: hunks.map(({ lines, ...rest }) => ({
      ...rest,
      lines: lines.flatMap(({ kind, text, hasNoNewline }) => [
        signs[kind] + text,
        ...(hasNoNewline ? ["\\ No newline at end of file"] : []),
      ]),
    })),
  } as unknown as StructuredPatch;
}

function hunksOf(before: string, after: string): readonly DiffHunk[] {
  const hunks = diffLines(before, after);
  if (hunks === undefined) throw new Error("too different");
  return hunks;
}

describe("the difference of two texts", () => {
  it("all applied is the new text, none is the old one", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const hunks = hunksOf(before, after);
        expect(applyHunks(before, hunks)).toBe(after);
        expect(applyHunks(before, [])).toBe(before);
        expect(hunks.length === 0).toBe(before === after);
      }),
      { numRuns: 2000 },
    );
  });

  it("in any part is what an independent program makes of that part", () => {
    fc.assert(
      fc.property(text, text, fc.array(fc.boolean()), (before, after, picks) => {
        // the other program ends a file that was empty with a line end, whatever the patch says
        fc.pre(before !== "");
        const some = hunksOf(before, after).filter((_, at) => picks[at] === true);
        const theirs = applyPatch(before, toPatch(some), { autoConvertLineEndings: false });
        expect(applyHunks(before, some)).toBe(theirs);
      }),
      { numRuns: 2000 },
    );
  });

  it("is found for texts that have little in common, quickly and always the same", () => {
    const old = Array.from({ length: 10_000 }, (_, at) => `line ${at}`);
    const rewritten = old.map((each, at) => (at % 2 === 0 ? each : `new ${at}`)).join("\n");
    const hunks = hunksOf(old.join("\n"), rewritten);
    expect(applyHunks(old.join("\n"), hunks)).toBe(rewritten);
    expect(hunks.flatMap(({ lines }) => lines).filter(({ kind }) => kind === "added")).toHaveLength(
      5000,
    );
  });

  it("matches lines that each side has once where the rest is repeated", () => {
    const filler = (word: string): string => `${word}\n`.repeat(150);
    const before = `${filler("a")}anchor\n${filler("b")}`;
    const after = `${filler("c")}anchor\n${filler("d")}`;
    const lines = hunksOf(before, after).flatMap((hunk) => hunk.lines);
    expect(lines.filter(({ kind }) => kind === "context").map(({ text }) => text)).toEqual([
      "anchor",
    ]);
  });

  it("has bounds", () => {
    expect(diffLines("a\n".repeat(600_000), "b")).toBeUndefined();
    expect(diffLines("a\n".repeat(10_001), "b\n".repeat(10_000))).toBeUndefined();
    expect(diffLines("a\n".repeat(10_000), "b\n".repeat(10_000))).toHaveLength(1);
  });
});
