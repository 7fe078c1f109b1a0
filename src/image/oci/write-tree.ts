/** Writes a tree of names and its contents as a squashfs. */
import type { FileExtent } from "../squashfs-tables.ts";
import type { SquashfsWriter } from "../squashfs.ts";
import type { TreeFile, TreeFolder, TreeNode } from "./layer-tree.ts";

/** Contents that no name leads to any more, for a layer above replaced them, are squeezed out. */
export async function writeTree(root: TreeFolder, writer: SquashfsWriter): Promise<void> {
  const files = collectFiles(root);
  files.sort((a, b) => a.extent.start - b.extent.start || a.extent.bytes - b.extent.bytes);
  const moved = await writer.compact(files.map(({ extent }) => extent));
  files.forEach((file, index) => {
    file.extent = moved[index] as FileExtent;
  });
  const places = new Map<TreeNode, string>();
  await writer.add({ kind: "directory", path: "", ...root.facts });
  await writeFolder(root, "", writer, places);
}

function collectFiles(root: TreeFolder): TreeFile[] {
  const found = new Set<TreeFile>();
  const visit = (folder: TreeFolder): void => {
    for (const { node } of folder.children.values()) {
      if (node.kind === "directory") visit(node);
      else if (node.kind === "file") found.add(node);
    }
  };
  visit(root);
  return [...found];
}

async function writeFolder(
  folder: TreeFolder,
  above: string,
  writer: SquashfsWriter,
  places: Map<TreeNode, string>,
): Promise<void> {
  const names = [...folder.children].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, { node }] of names) {
    const path = above === "" ? name : `${above}/${name}`;
    const first = places.get(node);
    if (first !== undefined) {
      writer.link(path, first);
      continue;
    }
    if (node.kind === "directory") {
      await writer.add({ kind: "directory", path, ...node.facts });
      await writeFolder(node, path, writer, places);
      continue;
    }
    places.set(node, path);
    const owner = { path, ...node.facts };
    if (node.kind === "file") await writer.add({ ...owner, kind: "stored", extent: node.extent });
    else if (node.kind === "symlink")
      await writer.add({ ...owner, kind: "symlink", target: node.target });
    else await writer.add({ ...owner, kind: node.kind, device: node.device });
  }
}
