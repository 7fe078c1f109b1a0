import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderChangeCard } from "../../../src/tui/change-card.ts";
import { createStyle } from "../../../src/tui/style.ts";
import type { Change } from "../../../src/runtime/values.ts";
import { makeChange, makeChangeSet } from "../../support/change-set.ts";
import { findUnsafe } from "../../support/shown-text.ts";

const plain = { columns: 80, style: createStyle(false) };
const file = { kind: "file", executable: false, size: 20, sha256: "b" } as const;

describe("a card", () => {
  it("shows each kind of change for what it is", () => {
    const changes: Change[] = [
      makeChange("added.txt", { kind: "added", before: null, lines: { added: 3, removed: 0 } }),
      makeChange("changed.txt", { lines: { added: 12, removed: 4 } }),
      makeChange("gone.txt", { kind: "deleted", after: null, lines: { added: 0, removed: 7 } }),
      makeChange("emptied.txt", { lines: { added: 0, removed: 0 } }),
      makeChange("huge.txt", { lines: null }),
      makeChange("small.bin", { binary: true, lines: null, after: { ...file, size: 999 } }),
      makeChange("medium.bin", { binary: true, lines: null, after: { ...file, size: 12_345 } }),
      makeChange("large.bin", { binary: true, lines: null, after: { ...file, size: 3_400_000 } }),
      makeChange("gone.bin", { kind: "deleted", binary: true, lines: null, after: null }),
      makeChange("run.sh", { kind: "mode", after: { ...file, executable: true } }),
      makeChange("no-run.sh", { kind: "mode" }),
      makeChange("link", { kind: "added", after: { kind: "link", target: "added.txt" } }),
      makeChange("folder", { kind: "replaced", after: { kind: "folder" } }),
    ];
    expect(`\n${renderChangeCard(makeChangeSet(changes), plain)}\n`).toMatchInlineSnapshot(`
      "
        13 files changed                                                     card 7K2M
        A  added.txt         +3
        M  changed.txt       +12 −4
        D  gone.txt          −7
        M  emptied.txt
        M  huge.txt
        M  small.bin         binary, 999 B
        M  medium.bin        binary, 12.3 kB
        M  large.bin         binary, 3.4 MB
        D  gone.bin          binary, 10 B
        P  run.sh            now executable
        P  no-run.sh         no longer executable
        A  link              link → added.txt
        R  folder            folder
      "
    `);
  });

  it("shows flags, conflicts, refusals and what stayed behind", () => {
    const set = makeChangeSet(
      [
        makeChange(".github/workflows/test.yml", { flags: ["runs in your CI", "hidden"] }),
        makeChange("src/main.ts", { conflict: "changed on the host meanwhile" }),
      ],
      {
        refused: [{ path: "../out", reason: "leaves the folder" }],
        refusedCount: 5,
        leftBehind: { paths: ["a", "b", "c", "d"], count: 90 },
      },
    );
    expect(`\n${renderChangeCard(set, plain)}\n`).toMatchInlineSnapshot(`
      "
        2 files changed, 1 flagged, 1 in conflict                            card 7K2M
        M  .github/workflows/test.yml  +1 −2     ⚑ runs in your CI  ⚑ hidden
        M  src/main.ts                 +1 −2     ✗ changed on the host meanwhile
        ✗  ../out  refused: leaves the folder
        ✗  and 4 more refused
        ignored files stayed in the machine: a, b, c and 87 more
      "
    `);
  });

  it("says when it expires, with its number at the right edge", () => {
    const set = makeChangeSet([makeChange("a")]);
    const [head] = renderChangeCard(set, { ...plain, expiresInS: 299.7 }).split("\n");
    expect(head).toMatch(/^ {2}1 file changed {2,}card 7K2M · expires in 4:59$/);
    expect(head).toHaveLength(80);
  });

  it("has colours that take no room", () => {
    const set = makeChangeSet([makeChange("a", { flags: ["x"], conflict: "y" })]);
    const painted = renderChangeCard(set, { columns: 80, style: createStyle(true) });
    expect(painted).toContain("\u001b[33m");
    expect(findUnsafe(Buffer.from(painted))).toBeUndefined();
    // eslint-disable-next-line no-control-regex -- colours start with one
    expect(painted.replaceAll(/\u001b\[\d+m/g, "")).toBe(renderChangeCard(set, plain));
  });

  it("counts the rows it does not show", () => {
    const set = makeChangeSet(Array.from({ length: 250 }, (_, at) => makeChange(`file-${at}`)));
    const lines = renderChangeCard(set, plain).split("\n");
    expect(lines[0]).toContain("250 files changed");
    expect(lines).toHaveLength(202);
    expect(lines.at(-1)).toBe("  … and 50 more: luminaguard changes show 7K2M");
  });

  it("shows every row when it is told to, however many", () => {
    const set = makeChangeSet(Array.from({ length: 130_000 }, () => makeChange("a")));
    const lines = renderChangeCard(set, { ...plain, rowsMax: Infinity }).split("\n");
    expect(lines).toHaveLength(130_001);
  });

  it("shows a path's every character, also those that hide or turn the text", () => {
    const set = makeChangeSet([
      makeChange("a\u202etxt.sh\nb"),
      makeChange("\u001b[2Jc", { after: { kind: "link", target: "x\u0007" } }),
      makeChange("zero\u200bwidth", { conflict: "was\rchanged" }),
    ]);
    const card = renderChangeCard(set, plain);
    expect(card).toContain("a\\u{202e}txt.sh\\nb");
    expect(card).toContain("\\x1b[2Jc");
    expect(card).toContain("link → x\\x07");
    expect(card).toContain("zero\\u{200b}width");
    expect(card).toContain("✗ was\\rchanged");
  });

  it("is safe on a terminal whatever a machine calls its files", () => {
    const text = fc.string({ unit: "binary", maxLength: 12 });
    fc.assert(
      fc.property(text, text, text, (path, target, reason) => {
        const set = makeChangeSet([makeChange(path, { after: { kind: "link", target } })], {
          refused: [{ path, reason }],
          refusedCount: 1,
          leftBehind: { paths: [target], count: 1 },
        });
        const card = renderChangeCard(set, plain);
        expect(findUnsafe(Buffer.from(card))).toBeUndefined();
        expect(card.split("\n")).toHaveLength(4);
        expect(card).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b-\u200f]/);
      }),
    );
  });
});
