/** Folders for tests: made from a literal, read back as one. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** `"text"` is a file, `{run}` an executable one, `{link}` a symlink, `null` an empty folder. */
export type TreeNode = string | { readonly run: string } | { readonly link: string } | null;
export type Tree = Readonly<Record<string, TreeNode>>;

/** A folder of its own that is gone after the scope. */
export function makeTempDir(): { readonly path: string } & Disposable {
  // in memory where the platform has such a folder: these tests flush a lot
  const parent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const path = realpathSync(mkdtempSync(join(parent, "luminaguard-test-")));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

export function makeTree(root: string, tree: Tree): void {
  mkdirSync(root, { recursive: true });
  for (const [path, node] of Object.entries(tree)) {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    if (node === null) mkdirSync(full, { recursive: true });
    else if (typeof node === "string") writeFileSync(full, node);
    else if ("link" in node) symlinkSync(node.link, full);
    else {
      writeFileSync(full, node.run);
      chmodSync(full, 0o755);
    }
  }
}

/** Everything below the folder; a folder is listed only when it is empty. */
export function readTree(root: string): Record<string, TreeNode> {
  const tree: Record<string, TreeNode> = {};
  const walk = (folder: string): void => {
    const names = readdirSync(join(root, folder)).sort();
    if (names.length === 0 && folder !== "") tree[folder] = null;
    for (const name of names) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const facts = lstatSync(join(root, path));
      if (facts.isDirectory()) walk(path);
      else if (facts.isSymbolicLink()) tree[path] = { link: readlinkSync(join(root, path)) };
      else {
        const text = readFileSync(join(root, path), "utf8");
        tree[path] = (facts.mode & 0o100) === 0 ? text : { run: text };
      }
    }
  };
  walk("");
  return tree;
}
