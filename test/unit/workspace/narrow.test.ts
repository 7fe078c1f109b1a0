import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applyChanges } from "../../../src/workspace/apply.ts";
import type { ChangeSet } from "../../../src/workspace/change-set.ts";
import { diffFile } from "../../../src/workspace/file-diff.ts";
import type { HunkChoice } from "../../../src/workspace/narrow.ts";
import { narrowChanges } from "../../../src/workspace/narrow.ts";
import { makeExchange } from "../../support/exchange.ts";
import type { Exchange } from "../../support/exchange.ts";
import type { Tree } from "../../support/make-tree.ts";

const lines = Array.from({ length: 30 }, (_, at) => `${at}\n`);
const edited = (...places: readonly number[]): string =>
  lines.map((line, at) => (places.includes(at) ? `new ${line}` : line)).join("");

const host: Tree = { "a.txt": edited(), "b.txt": "b\n", "gone.txt": "x\n" };
const guest: Tree = { "a.txt": { run: edited(2, 15, 28) }, "b.txt": "B\n", "new.txt": "n\n" };

async function narrow(
  choice: HunkChoice,
  check: (result: {
    narrowed: ChangeSet;
    exchange: Exchange;
    set: ChangeSet;
  }) => Promise<void> | void,
): Promise<void> {
  using exchange = makeExchange(host);
  const { set } = await exchange.run(guest);
  if (set === undefined) throw new Error("there are changes");
  const narrowed = await narrowChanges(exchange.store, set, choice);
  await check({ narrowed, exchange, set });
}

async function written(choice: HunkChoice): Promise<Tree> {
  let tree: Tree = {};
  await narrow(choice, async ({ narrowed, exchange }) => {
    const { stateDir, store } = exchange;
    await applyChanges(narrowed.id, { stateDir, store, choice: { kind: "all" } });
    tree = exchange.tree();
  });
  return tree;
}

describe("a narrowed change set", () => {
  it.each([
    ["all hunks", [0, 1, 2], edited(2, 15, 28)],
    ["the first", [0], edited(2)],
    ["the last and the first", [2, 0], edited(2, 28)],
  ])("with %s writes just these", async (_name, numbers, text) => {
    const tree = await written({ paths: ["a.txt"], hunks: { "a.txt": numbers } });
    expect(tree).toEqual({ ...host, "a.txt": { run: text } });
  });

  it("of whole files writes these files and no others", async () => {
    const tree = await written({ paths: ["gone.txt", "new.txt"], hunks: {} });
    expect(tree).toEqual({ "a.txt": edited(), "b.txt": "b\n", "new.txt": "n\n" });
  });

  it("has a name and contents of its own, and leaves the one that was shown as it is", async () => {
    const choice = { paths: ["a.txt", "b.txt"], hunks: { "a.txt": [1], "b.txt": [] } };
    await narrow(choice, async ({ narrowed, exchange, set }) => {
      expect(narrowed.id).not.toBe(set.id);
      expect(await exchange.store.get(set.id)).toEqual(set);
      await exchange.store.remove(set.id);
      const [change, ...rest] = narrowed.changes;
      expect(rest).toEqual([]);
      expect(change).toMatchObject({ path: "a.txt", lines: { added: 1, removed: 1 } });
      const diff = change && (await diffFile(change, exchange.store.blobs(narrowed.id)));
      expect(diff?.kind === "hunks" && diff.hunks).toHaveLength(1);
    });
  });

  it.each([
    [{ paths: ["nowhere"], hunks: {} }, "no change of nowhere"],
    [{ paths: [], hunks: { "a.txt": [0] } }, "no change of a.txt"],
    [{ paths: ["a.txt"], hunks: { "a.txt": [3] } }, "no such hunk"],
  ] as const)("is refused for %j, and leaves nothing behind", async (choice, message) => {
    using exchange = makeExchange(host);
    const { set } = await exchange.run(guest);
    if (set === undefined) throw new Error("there are changes");
    await expect(narrowChanges(exchange.store, set, choice)).rejects.toThrow(message);
    expect(await exchange.store.list()).toHaveLength(1);
  });

  it("keeps every byte of a file that is not UTF-8", async () => {
    const latin = (text: string): Buffer => Buffer.from(text, "latin1");
    using exchange = makeExchange({ "a.txt": "" });
    writeFileSync(join(exchange.root, "a.txt"), latin(`\xe9\n${edited()}\xff\n`));
    const { set } = await exchange.run([
      { name: "a.txt", mode: 0o644, content: latin(`\xe8\n${edited()}\xfe\n`) },
    ]);
    if (set === undefined) throw new Error("there are changes");
    expect(set.changes[0]).toMatchObject({ lines: { added: 2, removed: 2 } });
    const narrowed = await narrowChanges(exchange.store, set, {
      paths: ["a.txt"],
      hunks: { "a.txt": [1] },
    });
    const { stateDir, store } = exchange;
    await applyChanges(narrowed.id, { stateDir, store, choice: { kind: "all" } });
    expect(readFileSync(join(exchange.root, "a.txt"))).toEqual(latin(`\xe9\n${edited()}\xfe\n`));
  });
});
