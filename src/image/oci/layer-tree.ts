/**
 * The files of an image, made by putting its layers over each other in memory: names and facts are
 * here, contents are wherever their extents say. No layer can reach outside: links are followed
 * within the tree, and nothing of it is ever a file of the host. Rules: OCI image specification,
 * layer.md, "Applying Changesets" and "Whiteouts".
 */
import type { FileExtent } from "../squashfs-tables.ts";
import { invalidImage, quote } from "./invalid.ts";
import type { TarHeader } from "./tar-reader.ts";
import { splitPath } from "./tree-path.ts";

export type NodeFacts = Pick<TarHeader, "mode" | "uid" | "gid" | "mtimeS" | "xattrs">;

export interface TreeFile {
  readonly kind: "file";
  readonly facts: NodeFacts;
  extent: FileExtent;
}
export interface TreeSymlink {
  readonly kind: "symlink";
  readonly facts: NodeFacts;
  readonly target: string;
}
export interface TreeSpecial {
  readonly kind: "character-device" | "block-device" | "fifo";
  readonly facts: NodeFacts;
  readonly device: readonly [major: number, minor: number];
}
export interface TreeFolder {
  readonly kind: "directory";
  facts: NodeFacts;
  readonly children: Map<string, TreeName>;
}
export type TreeNode = TreeFile | TreeSymlink | TreeSpecial | TreeFolder;

/** A name in a folder; hard links are names of one node. */
export interface TreeName {
  readonly node: TreeNode;
  /** the layer that put it there last */
  layer: number;
}

export interface LayerTree {
  readonly root: TreeFolder;
  /** what comes from now on is of the next layer */
  readonly beginLayer: () => void;
  /** puts an entry there; a file's content is at `extent` */
  readonly add: (entry: TarHeader, extent: FileExtent | undefined) => void;
  /** removes what lower layers have at `parts` */
  readonly whiteOut: (parts: readonly string[]) => void;
  /** removes what lower layers have below `parts` */
  readonly makeOpaque: (parts: readonly string[]) => void;
  /** what a path means, links followed within the tree */
  readonly find: (path: string) => TreeNode | undefined;
  /** the folder at a path, made where it is missing */
  readonly makeFolder: (path: string) => TreeFolder;
}

/** as Linux has it for one path (MAXSYMLINKS) */
const linksMax = 40;
const depthMax = 512;
const noXattrs: ReadonlyMap<string, Buffer> = new Map();

/** @param ownTimeS time of folders that no layer brought, in seconds since 1970 */
export function createLayerTree(ownTimeS: number): LayerTree {
  const implied = (): TreeFolder => {
    const facts = { mode: 0o755, uid: 0, gid: 0, mtimeS: ownTimeS, xattrs: noXattrs };
    return { kind: "directory", facts, children: new Map() };
  };
  const root = implied();
  let layer = 0;
  const walk = (parts: readonly string[], make: boolean): TreeFolder | undefined =>
    walkTo(root, parts, (folder, name) => {
      if (!make) return undefined;
      const made = implied();
      folder.children.set(name, { node: made, layer });
      return made;
    });
  const parentOf = (parts: readonly string[]): { folder: TreeFolder; name: string } => {
    const folder = walk(parts.slice(0, -1), true);
    if (folder === undefined) throw notFolder(parts);
    return { folder, name: parts.at(-1) ?? "" };
  };
  const addLink = (entry: TarHeader, parts: readonly string[]): void => {
    const target = splitPath(entry.target);
    const from = walk(target.slice(0, -1), false)?.children.get(target.at(-1) ?? "")?.node;
    if (from === undefined || from.kind === "directory")
      throw invalidImage(
        `${quote(entry.path)} is a link to ${quote(entry.target)}, which is no file`,
      );
    const { folder, name } = parentOf(parts);
    folder.children.set(name, { node: from, layer });
  };
  return {
    root,
    beginLayer: () => {
      layer += 1;
    },
    add: (entry, extent) => {
      const parts = splitPath(entry.path);
      if (entry.kind === "link") {
        if (parts.length === 0) throw notFolder(parts);
        addLink(entry, parts);
      } else if (entry.kind === "directory") addFolder(entry, parts, { root, parentOf, layer });
      else {
        if (parts.length === 0) throw notFolder(parts);
        const { folder, name } = parentOf(parts);
        folder.children.set(name, { node: toNode(entry, extent), layer });
      }
    },
    whiteOut: (parts) => {
      const folder = walk(parts.slice(0, -1), false);
      if (folder !== undefined) prune(folder, parts.at(-1) ?? "", layer);
    },
    makeOpaque: (parts) => {
      const folder = walk(parts, false);
      for (const name of [...(folder?.children.keys() ?? [])]) {
        if (folder !== undefined) prune(folder, name, layer);
      }
    },
    find: (path) => find(root, path),
    makeFolder: (path) => {
      const folder = walk(splitPath(path), true);
      if (folder === undefined) throw notFolder(splitPath(path));
      return folder;
    },
  };
}

function addFolder(
  entry: TarHeader,
  parts: readonly string[],
  tree: {
    root: TreeFolder;
    parentOf: (parts: readonly string[]) => { folder: TreeFolder; name: string };
    layer: number;
  },
): void {
  if (parts.length === 0) {
    tree.root.facts = factsOf(entry);
    return;
  }
  const { folder, name } = tree.parentOf(parts);
  const there = folder.children.get(name);
  if (there?.node.kind === "directory") {
    there.node.facts = factsOf(entry);
    there.layer = tree.layer;
    return;
  }
  const node: TreeFolder = { kind: "directory", facts: factsOf(entry), children: new Map() };
  folder.children.set(name, { node, layer: tree.layer });
}

function toNode(entry: TarHeader, extent: FileExtent | undefined): TreeNode {
  const facts = factsOf(entry);
  switch (entry.kind) {
    case "file":
      return { kind: "file", facts, extent: extent ?? { start: 0, bytes: 0 } };
    case "symlink":
      if (entry.target === "" || Buffer.byteLength(entry.target) > 4095)
        throw invalidImage(`${quote(entry.path)} is a link to nowhere`);
      return { kind: "symlink", facts, target: entry.target };
    case "character-device":
    case "block-device":
    case "fifo":
      return { kind: entry.kind, facts, device: checkDevice(entry) };
    default:
      throw new Error(`an entry of kind ${entry.kind} is no leaf`);
  }
}

/** Linux has 12 bits for the major number and 20 for the minor one. */
function checkDevice({ path, device }: TarHeader): readonly [number, number] {
  if (device[0] < 4096 && device[1] < 1024 * 1024) return device;
  throw invalidImage(`${quote(path)} is a device that cannot be`);
}

function factsOf({ mode, uid, gid, mtimeS, xattrs }: TarHeader): NodeFacts {
  return { mode, uid, gid, mtimeS, xattrs: keptXattrs(xattrs) };
}

/** The overlay's own attributes would change what a folder shows; what is not kept is left out. */
function keptXattrs(xattrs: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  if (xattrs.size === 0) return noXattrs;
  const kept = [...xattrs].filter(([name]) =>
    /^(?:user|security|trusted)\.(?!overlay\.)./.test(name),
  );
  return kept.length === 0 ? noXattrs : new Map(kept);
}

/** Takes away what lower layers brought; what this layer brought stays, and the folders it is in. */
function prune(folder: TreeFolder, name: string, layer: number): void {
  const there = folder.children.get(name);
  if (there === undefined) return;
  if (there.node.kind === "directory") {
    for (const child of [...there.node.children.keys()]) prune(there.node, child, layer);
    if (there.node.children.size > 0) return;
  }
  if (there.layer < layer) folder.children.delete(name);
}

/** The folder at the end of the names, links on the way followed within the tree. */
function walkTo(
  root: TreeFolder,
  parts: readonly string[],
  onMissing: (folder: TreeFolder, name: string) => TreeFolder | undefined,
): TreeFolder | undefined {
  const above: TreeFolder[] = [root];
  const left = parts.toReversed();
  let links = 0;
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const folder = above.at(-1) ?? root;
    if (name === "..") {
      above.length = Math.max(1, above.length - 1);
      continue;
    }
    const node = folder.children.get(name)?.node ?? onMissing(folder, name);
    if (node === undefined) return undefined;
    if (node.kind === "directory") above.push(node);
    else if (node.kind === "symlink") {
      links += 1;
      if (node.target.startsWith("/")) above.length = 1;
      left.push(...splitTarget(node.target).toReversed());
    } else throw notFolder(parts);
    checkWalk(parts, { links, depth: Math.max(above.length, left.length / 2) });
  }
  return above.at(-1);
}

function checkWalk(
  parts: readonly string[],
  { links, depth }: { readonly links: number; readonly depth: number },
): void {
  if (links > linksMax)
    throw invalidImage(`${quote(parts.join("/"))} leads through too many links`);
  if (depth > depthMax) throw invalidImage(`${quote(parts.join("/"))} is too deep`);
}

function splitTarget(target: string): string[] {
  return target.split("/").filter((part) => part !== "" && part !== ".");
}

function find(root: TreeFolder, path: string): TreeNode | undefined {
  let parts = splitPath(path);
  for (let links = 0; links <= linksMax; links += 1) {
    const name = parts.at(-1);
    if (name === undefined) return root;
    const folder = walkTo(root, parts.slice(0, -1), () => undefined);
    const node = name === ".." ? undefined : folder?.children.get(name)?.node;
    if (node?.kind !== "symlink") return node;
    const target = splitTarget(node.target);
    parts = node.target.startsWith("/") ? target : [...parts.slice(0, -1), ...target];
  }
  return undefined;
}

function notFolder(parts: readonly string[]): Error {
  return invalidImage(`${quote(parts.join("/"))} leads through what is no folder`);
}
