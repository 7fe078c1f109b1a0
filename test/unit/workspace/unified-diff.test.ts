import { describe, expect, test } from "vitest";
import { renderUnifiedDiff } from "../../../src/workspace/unified-diff.ts";
import { makeExchange } from "../../support/exchange.ts";
import type { Tree } from "../../support/make-tree.ts";

async function diffOf(host: Tree, guest: Tree, options = {}): Promise<readonly string[]> {
  using exchange = makeExchange(host);
  const { set } = await exchange.run(guest);
  const [change] = set?.changes ?? [];
  if (set === undefined || change === undefined) throw new Error("nothing changed");
  return await renderUnifiedDiff(change, exchange.store.blobs(set.id), options);
}

describe("the diff of a change", () => {
  test("shows a modified file with its context", async () => {
    expect(await diffOf({ a: "1\n2\n3\n" }, { a: "1\n2b\n3\n" })).toEqual([
      "--- a/a",
      "+++ b/a",
      "@@ -1,3 +1,3 @@",
      " 1",
      "-2",
      "+2b",
      " 3",
    ]);
  });

  test("shows new, removed and executable files", async () => {
    expect(await diffOf({}, { a: { run: "x\n" } })).toEqual([
      "--- /dev/null",
      "+++ b/a",
      "now executable",
      "@@ -0,0 +1,1 @@",
      "+x",
    ]);
    expect(await diffOf({ a: "x" }, {})).toEqual([
      "--- a/a",
      "+++ /dev/null",
      "@@ -1,1 +0,0 @@",
      "-x",
      "\\ No newline at end of file",
    ]);
    expect(await diffOf({ a: { run: "x" } }, { a: "x" })).toContain("no longer executable");
  });

  test("shows where a link leads, and a file that became one", async () => {
    const lines = await diffOf({ a: "x\n" }, { a: { link: "/etc/passwd" } });
    expect(lines.slice(2)).toEqual(["@@ -1,1 +1,1 @@", "-x", "+link to /etc/passwd"]);
  });

  test("names a binary file by its sizes", async () => {
    expect(await diffOf({ a: "x\0y" }, { a: "xyz" })).toContain("binary: 3 B → 3 B");
  });

  test("says what it left out of a long one", async () => {
    const lines = await diffOf({}, { a: "x\n".repeat(50) }, { linesMax: 10 });
    expect(lines.at(-1)).toBe("… 41 more lines");
    expect((await diffOf({}, { a: "y".repeat(2000) }, { columnsMax: 5 }))[3]).toBe(
      "+yyyy … 1996 more characters",
    );
    expect((await diffOf({}, { a: "z".repeat(1100000) })).at(-1)).toBe(
      "too large to show: nothing → 1.1 MB",
    );
  });

  test("writes out whatever a terminal would act on or hide", async () => {
    const text = "a\u001b[2Jb\u202ec\u200bd\u009be\rf\u2028g\u{e0041}h\tq\u00adz\n";
    expect((await diffOf({}, { "n\u202em": text })).slice(1)).toEqual([
      "+++ b/n\\u{202e}m",
      "@@ -0,0 +1,1 @@",
      "+a\\x1b[2Jb\\u{202e}c\\u{200b}d\\x9be\\rf\\u{2028}g\\u{e0041}h\tq\\xadz",
    ]);
  });
});
