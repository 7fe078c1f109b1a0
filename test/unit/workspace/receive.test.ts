import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ReceivedChanges } from "../../../src/workspace/receive.ts";
import { makeExchange } from "../../support/exchange.ts";

const short = ({ set }: ReceivedChanges): string[] =>
  (set?.changes ?? []).map(({ kind, path }) => `${kind} ${path}`);

describe("receiving the guest's tree", () => {
  test("an unchanged tree gives no set", async () => {
    const tree = { "a.txt": "a", "b/c.txt": "c", "b/run": { run: "x" }, l: { link: "a.txt" } };
    using exchange = makeExchange(tree);
    const { set, refusedCount } = await exchange.run(tree);
    expect(set).toBeUndefined();
    expect(refusedCount).toBe(0);
  });

  test("what is new, changed, gone and switched is told apart", async () => {
    using exchange = makeExchange({
      "a.txt": "one\ntwo\n",
      "b.txt": "b",
      "c.sh": "c",
      "d/e.txt": "e",
      l: { link: "a.txt" },
    });
    const result = await exchange.run({
      "a.txt": "one\n2\nthree\n",
      "c.sh": { run: "c" },
      "n.txt": "new\n",
      l: "now a file",
    });
    expect(short(result)).toEqual([
      "modified a.txt",
      "deleted b.txt",
      "mode c.sh",
      "deleted d/e.txt",
      "replaced l",
      "added n.txt",
    ]);
    expect(result.set?.changes[0]?.lines).toEqual({ added: 2, removed: 1 });
    expect(result.set?.removedFolders).toEqual(["d"]);
  });

  test("a file changed on the host meanwhile is a conflict", async () => {
    using exchange = makeExchange({ "a.txt": "a" });
    const between = (): void => writeFileSync(join(exchange.root, "a.txt"), "person");
    const result = await exchange.run({ "a.txt": "guest" }, { between });
    expect(result.set?.changes[0]?.conflict).toBe("changed on the host meanwhile");
  });

  test("new files that an ignore rule of the host names stay in the machine", async () => {
    using exchange = makeExchange({ ".gitignore": "dist/\n*.pyc\n", "a.py": "a" });
    const result = await exchange.run({
      ".gitignore": "",
      "a.py": "a",
      "a.pyc": "x",
      "dist/out.js": "x",
      "dist/deep/x.js": "x",
    });
    expect(short(result)).toEqual(["modified .gitignore"]);
    expect(result.leftBehind).toEqual({ paths: ["a.pyc", "dist"], count: 2 });
  });

  test("a build folder that --include names comes out", async () => {
    using exchange = makeExchange({ ".gitignore": "dist/\n", "a.py": "a" });
    const guest = { ".gitignore": "dist/\n", "a.py": "a", "dist/out.txt": "x" };
    expect(short(await exchange.run(guest, { include: ["dist"] }))).toEqual(["added dist/out.txt"]);
  });
});
