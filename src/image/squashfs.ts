/**
 * Writes a squashfs file system from entries as they come: file data goes straight to the disk,
 * names are kept in memory until the end. Nothing is compressed, and the same entries in the same
 * order give the same bytes, which the usual tools do not promise (sqfstar 4.5 gives the root
 * folder the time and the owner of the run).
 */
import { open } from "node:fs/promises";
import { posix } from "node:path";
import { LuminaGuardError } from "../errors.ts";
import { createSquashfsData } from "./squashfs-data.ts";
import {
  createMetadataTable,
  encodeDirectoryInode,
  encodeFileInode,
  encodeListing,
  encodeSpecialInode,
  encodeSymlinkInode,
  encodeTables,
  inodeType,
  superblockBytes,
} from "./squashfs-tables.ts";
import type {
  DirectoryItem,
  FileExtent,
  InodeHeader,
  MetadataReference,
} from "./squashfs-tables.ts";
import { createXattrTable } from "./squashfs-xattrs.ts";
import type { Xattrs, XattrTable } from "./squashfs-xattrs.ts";

interface NodeOwner {
  /** below the root, without leading or trailing slash */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** in whole seconds since 1970 */
  readonly mtimeS: number;
  /** those of `user.`, `trusted.` and `security.` are kept
   * @default none */
  readonly xattrs?: Xattrs | undefined;
}

interface SpecialFile {
  readonly kind: "block-device" | "character-device" | "fifo" | "socket";
  /** of devices; 0, 0 for the others */
  readonly device: readonly [major: number, minor: number];
}

export type SquashfsEntry =
  | (NodeOwner & { readonly kind: "directory" })
  | (NodeOwner & { readonly kind: "symlink"; readonly target: string })
  | (NodeOwner & {
      readonly kind: "file";
      readonly bytes: number;
      readonly content: AsyncIterable<Uint8Array>;
    })
  /** a file whose content was appended before */
  | (NodeOwner & { readonly kind: "stored"; readonly extent: FileExtent })
  | (NodeOwner & SpecialFile);

export interface SquashfsWriter {
  readonly has: (path: string) => boolean;
  readonly paths: () => ReadonlySet<string>;
  /** adds an entry whose path is new, or the root folder's own facts; folders above it that were not added are made */
  readonly add: (entry: SquashfsEntry) => Promise<void>;
  /** writes content that `stored` entries name later, up to `bytesMax` and one piece */
  readonly append: (content: AsyncIterable<Uint8Array>, bytesMax: number) => Promise<FileExtent>;
  /** content that was appended */
  readonly read: (extent: FileExtent) => Promise<Buffer>;
  /** moves these, sorted by their start, together; all other content is gone */
  readonly compact: (kept: readonly FileExtent[]) => Promise<FileExtent[]>;
  /** a second name of what is there and is no folder; false where it is not */
  readonly link: (path: string, target: string) => boolean;
  /** writes the tables and closes the file */
  readonly finish: () => Promise<void>;
  /** closes the file, which is then of no use */
  readonly abandon: () => Promise<void>;
}

interface FileNode {
  readonly kind: "file";
  readonly owner: NodeOwner;
  readonly extent: FileExtent;
  links: number;
  number: number;
  written: MetadataReference | undefined;
}
interface LeafNode {
  readonly kind: "leaf";
  readonly owner: NodeOwner;
  readonly leaf: { readonly kind: "symlink"; readonly target: string } | SpecialFile;
  links: number;
  number: number;
  written: MetadataReference | undefined;
}
interface DirectoryNode {
  readonly kind: "directory";
  owner: NodeOwner;
  readonly children: Map<string, SquashfsNode>;
  number: number;
}
type SquashfsNode = FileNode | LeafNode | DirectoryNode;

/** @param ownTimeS time of the file system and of folders no entry brought, in seconds since 1970 */
export async function createSquashfs(path: string, ownTimeS: number): Promise<SquashfsWriter> {
  const file = await open(path, "wx+", 0o644);
  const root = createDirectory({ path: "", mode: 0o755, uid: 0, gid: 0, mtimeS: ownTimeS });
  const nodes = new Map<string, SquashfsNode>([["", root]]);
  const paths = new Set<string>();
  const data = createSquashfsData(file, superblockBytes);

  const folderAt = (folderPath: string): DirectoryNode => {
    const key = folderPath === "." ? "" : folderPath;
    const found = nodes.get(key);
    if (found?.kind === "directory") return found;
    if (found !== undefined) throw refused(key, "is a folder for one package and not for another");
    const made = createDirectory({ path: key, mode: 0o755, uid: 0, gid: 0, mtimeS: ownTimeS });
    place(key, made);
    return made;
  };
  const place = (nodePath: string, node: SquashfsNode): void => {
    if (nodes.has(nodePath)) throw refused(nodePath, "is there twice");
    folderAt(posix.dirname(nodePath)).children.set(posix.basename(nodePath), node);
    nodes.set(nodePath, node);
    paths.add(nodePath);
  };
  return {
    has: (nodePath) => nodes.has(nodePath),
    paths: () => paths,
    add: async (entry) => {
      if (entry.path === "" && entry.kind === "directory") root.owner = entry;
      else if (entry.kind === "directory") place(entry.path, createDirectory(entry));
      else if (entry.kind === "stored") place(entry.path, createFile(entry, entry.extent));
      else if (entry.kind === "file") {
        const extent = await data.append(entry.content, entry.bytes);
        if (extent.bytes !== entry.bytes)
          throw refused(entry.path, "is not as long as its package says");
        place(entry.path, createFile(entry, extent));
      } else place(entry.path, createLeaf(entry));
    },
    append: data.append,
    read: data.read,
    compact: data.compact,
    link: (nodePath, target) => {
      const node = nodes.get(target);
      if (node === undefined || node.kind === "directory") return false;
      place(nodePath, node);
      node.links += 1;
      return true;
    },
    finish: async () => {
      await data.flush();
      const end = data.end();
      const { superblock, rest } = encodeTree(root, end, ownTimeS);
      await file.write(rest, 0, rest.length, end);
      await file.write(superblock, 0, superblock.length, 0);
      await file.sync();
      await file.close();
    },
    abandon: async () => file.close(),
  };
}

function createDirectory(owner: NodeOwner): DirectoryNode {
  return { kind: "directory", owner, children: new Map(), number: 0 };
}

function createFile(owner: NodeOwner, extent: FileExtent): FileNode {
  return { kind: "file", owner, extent, links: 1, number: 0, written: undefined };
}

function createLeaf(entry: NodeOwner & LeafNode["leaf"]): LeafNode {
  return { kind: "leaf", owner: entry, leaf: entry, links: 1, number: 0, written: undefined };
}

/** Writes children before their folder, since a listing refers to their inodes. */
function encodeTree(
  root: DirectoryNode,
  start: number,
  madeAtS: number,
): { superblock: Buffer; rest: Buffer } {
  const inodes = createMetadataTable();
  const directories = createMetadataTable();
  const xattrs: XattrTable = createXattrTable();
  const ids = new Map<number, number>();
  const inodeCount = numberNodes(root);
  const idIndex = (id: number): number => {
    const index = ids.get(id) ?? ids.size;
    ids.set(id, index);
    return index;
  };
  const headerOf = (node: SquashfsNode): InodeHeader => ({
    mode: node.owner.mode,
    uidIndex: idIndex(node.owner.uid),
    gidIndex: idIndex(node.owner.gid),
    mtimeS: node.owner.mtimeS,
    inode: node.number,
    xattrs: xattrs.add(node.owner.xattrs),
  });
  const write = (node: SquashfsNode, parentInode: number): MetadataReference => {
    if (node.kind !== "directory") {
      node.written ??= inodes.append(encodeLeaf(headerOf(node), node));
      return node.written;
    }
    const items = sortedChildren(node).map(([name, child]): DirectoryItem => ({
      name,
      type: inodeType[child.kind === "leaf" ? child.leaf.kind : child.kind],
      inode: child.number,
      reference: write(child, node.number),
    }));
    const content = encodeListing(items);
    const listing = directories.append(content);
    const folders = [...node.children.values()].filter((child) => child.kind === "directory");
    const place = { listing, listingBytes: content.length, links: 2 + folders.length, parentInode };
    return inodes.append(encodeDirectoryInode(headerOf(node), place));
  };
  const rootReference = write(root, inodeCount + 1);
  return encodeTables({
    inodes: inodes.encode(),
    directories: directories.encode(),
    ids: [...ids.keys()],
    root: rootReference,
    inodeCount,
    xattrs,
    start,
    madeAtS,
  });
}

function encodeLeaf(header: InodeHeader, node: FileNode | LeafNode): Buffer {
  if (node.kind === "file") return encodeFileInode(header, node.extent, node.links);
  const { leaf, links } = node;
  if (leaf.kind === "symlink") return encodeSymlinkInode(header, leaf.target, links);
  return encodeSpecialInode(header, leaf.kind, links, leaf.device);
}

/** Numbers from 1 in the order of paths; a file with several names has one. Gives how many. */
function numberNodes(root: DirectoryNode): number {
  let count = 0;
  const visit = (node: SquashfsNode): void => {
    if (node.number !== 0) return;
    count += 1;
    node.number = count;
    if (node.kind === "directory") for (const [, child] of sortedChildren(node)) visit(child);
  };
  visit(root);
  return count;
}

/** Sorted by the bytes of the name, as the kernel looks them up. */
function sortedChildren(node: DirectoryNode): [Buffer, SquashfsNode][] {
  const named = [...node.children].map(([name, child]): [Buffer, SquashfsNode] => [
    Buffer.from(name),
    child,
  ]);
  return named.sort(([a], [b]) => Buffer.compare(a, b));
}

function refused(path: string, why: string): LuminaGuardError {
  return new LuminaGuardError("IMAGE_BUILD_FAILED", `the packages' file ${path} ${why}`);
}
