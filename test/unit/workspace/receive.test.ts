import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ChangeStore } from "../../../src/workspace/change-store.ts";
import { packWorkspace } from "../../../src/workspace/pack.ts";
import { receiveChanges, type ReceivedChanges } from "../../../src/workspace/receive.ts";
import { scanWorkspace } from "../../../src/workspace/scan.ts";
import { collect, inPieces, makeTar, tarOf, type GuestEntry } from "../../support/guest-tar.ts";
import { makeTempDir, makeTree, type Tree } from "../../support/make-tree.ts";

async function exchange(
  host: Tree,
  guest: Tree | readonly GuestEntry[],
  between: (root: string) => void = () => undefined,
): Promise<ReceivedChanges> {
  using temp = makeTempDir();
  const root = join(temp.path, "project");
  makeTree(root, host);
  const scan = await scanWorkspace(root);
  const pack = packWorkspace(scan);
  await collect(pack.chunks);
  between(root);
  const tar = Array.isArray(guest)
    ? await makeTar(guest as GuestEntry[])
    : await tarOf(guest as Tree);
  const store = new ChangeStore(join(temp.path, "state"));
  return await receiveChanges(inPieces(tar), {
    baseline: pack.baseline,
    store,
    command: "test",
    isIgnored: scan.isIgnored,
  });
}

const short = ({ set }: ReceivedChanges): string[] =>
  (set?.changes ?? []).map(({ kind, path }) => `${kind} ${path}`);

describe("receiving the guest's tree", () => {
  test("an unchanged tree gives no set", async () => {
    const tree = { "a.txt": "a", "b/c.txt": "c", "b/run": { run: "x" }, l: { link: "a.txt" } };
    const { set, refusedCount } = await exchange(tree, tree);
    expect(set).toBeUndefined();
    expect(refusedCount).toBe(0);
  });

  test("what is new, changed, gone and switched is told apart", async () => {
    const result = await exchange(
      { "a.txt": "one\ntwo\n", "b.txt": "b", "c.sh": "c", "d/e.txt": "e", l: { link: "a.txt" } },
      { "a.txt": "one\n2\nthree\n", "c.sh": { run: "c" }, "n.txt": "new\n", l: "now a file" },
    );
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
    const result = await exchange({ "a.txt": "a" }, { "a.txt": "guest" }, (root) =>
      writeFileSync(join(root, "a.txt"), "person"),
    );
    expect(result.set?.changes[0]?.conflict).toBe("changed on the host meanwhile");
  });

  test("new files that an ignore rule names stay in the machine", async () => {
    const result = await exchange(
      { ".gitignore": "dist/\n*.pyc\n", "a.py": "a" },
      { ".gitignore": "", "a.py": "a", "a.pyc": "x", "dist/out.js": "x", "dist/deep/x.js": "x" },
    );
    expect(short(result)).toEqual(["modified .gitignore"]);
    expect(result.leftBehind).toEqual({ paths: ["a.pyc", "dist"], count: 2 });
  });
});
