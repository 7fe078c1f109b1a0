import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyChanges } from "../../../src/workspace/apply.ts";
import { makeExchange } from "../../support/exchange.ts";
import type { Tree, TreeNode } from "../../support/make-tree.ts";

/** Trees over few names, so that files, links and folders often take one another's place. */
const node: fc.Arbitrary<TreeNode> = fc.oneof(
  fc.constantFrom("", "one\n", "two\n", "x".repeat(5000), "bin\0ary"),
  fc.constantFrom("run\n", "two\n").map((run) => ({ run })),
  fc.constantFrom("a", "b/c", "../out", "/etc/hosts").map((link) => ({ link })),
  fc.constant(null),
);
const path = fc
  .array(fc.constantFrom("a", "b", "c", "é", "x y"), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join("/"));
const tree: fc.Arbitrary<Tree> = fc
  .array(fc.tuple(path, node), { maxLength: 8 })
  .map((entries) => withoutClashes(entries));

/** Drops entries below one that is no folder, and folders that turn out not to be empty. */
function withoutClashes(entries: readonly (readonly [string, TreeNode])[]): Tree {
  const kept = new Map<string, TreeNode>();
  for (const [name, value] of entries) {
    const isBelow = [...kept].some(
      ([other, held]) => held !== null && name.startsWith(`${other}/`),
    );
    const isAbove = [...kept.keys()].some((other) => other.startsWith(`${name}/`));
    if (!isBelow && !isAbove) kept.set(name, value);
  }
  for (const [name, value] of [...kept]) {
    const isHolding = [...kept.keys()].some((other) => other.startsWith(`${name}/`));
    if (value === null && isHolding) kept.delete(name);
  }
  return Object.fromEntries(kept);
}

describe("a round trip", { timeout: 60_000 }, () => {
  test("makes the workspace exactly what the guest had", async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, async (host, guest) => {
        using exchange = makeExchange(host);
        const { set, refusedCount } = await exchange.run(guest);
        expect(refusedCount).toBe(0);
        if (set !== undefined) {
          const { stateDir, store } = exchange;
          await applyChanges(set.id, { stateDir, store, choice: { kind: "all" } });
        }
        expect(exchange.tree()).toEqual(guest);
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  test("in pieces ends where it ends in one go", async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, fc.infiniteStream(fc.nat()), async (host, guest, picks) => {
        using exchange = makeExchange(host);
        const { set } = await exchange.run(guest);
        if (set === undefined) return;
        const { stateDir, store } = exchange;
        let left = set.changes.map((change) => change.path);
        for (let turn = 0; left.length > 0 && turn < 40; turn++) {
          const [pick = 0] = picks;
          const paths = [left[pick % left.length] ?? ""];
          const choice =
            turn < 20 ? ({ kind: "paths", paths } as const) : ({ kind: "all" } as const);
          // one that needs another one first is a conflict, and changes nothing
          const result = await applyChanges(set.id, { stateDir, store, choice }).catch(
            () => undefined,
          );
          left = left.filter((name) => !(result?.applied ?? []).includes(name));
        }
        expect(left).toEqual([]);
        expect(exchange.tree()).toMatchObject(guest);
      }),
      { numRuns: 25, seed: 12 },
    );
  });

  test("leaves alone what was not sent", async () => {
    using exchange = makeExchange({
      ".gitignore": "cache/\n",
      "d/a": "a",
      "d/cache/x": "x",
      ".env": "s",
    });
    writeFileSync(join(exchange.root, "d/.env"), "s");
    const { set } = await exchange.run({ ".gitignore": "cache/\n" });
    const { stateDir, store } = exchange;
    await applyChanges(set?.id ?? "", { stateDir, store, choice: { kind: "all" } });
    expect(exchange.tree()).toEqual({
      ".gitignore": "cache/\n",
      "d/.env": "s",
      "d/cache/x": "x",
      ".env": "s",
    });
  });
});
