/**
 * Writes a squashfs file system from entries as they come: file data goes straight to the disk,
 * names are kept in memory until the end. Nothing is compressed, and the same entries in the same
 * order give the same bytes, which the usual tools do not promise (sqfstar 4.5 gives the root
 * folder the time and the owner of the run).
 */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { posix } from "node:path";
import { LuminaGuardError } from "../errors.ts";
import {
  createMetadataTable,
  encodeDirectoryInode,
  encodeFileInode,
  encodeListing,
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

interface NodeOwner {
  /** below the root, without leading or trailing slash */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** in whole seconds since 1970 */
  readonly mtimeS: number;
}

export type SquashfsEntry =
  | (NodeOwner & { readonly kind: "directory" })
  | (NodeOwner & { readonly kind: "symlink"; readonly target: string })
  | (NodeOwner & {
      readonly kind: "file";
      readonly bytes: number;
      readonly content: AsyncIterable<Uint8Array>;
    });

export interface SquashfsWriter {
  readonly has: (path: string) => boolean;
  readonly paths: () => ReadonlySet<string>;
  /** adds an entry whose path is new; folders above it that were not added are made */
  readonly add: (entry: SquashfsEntry) => Promise<void>;
  /** a second name of a file that is there; false where it is not */
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
interface SymlinkNode {
  readonly kind: "symlink";
  readonly owner: NodeOwner;
  readonly target: string;
  number: number;
}
interface DirectoryNode {
  readonly kind: "directory";
  readonly owner: NodeOwner;
  readonly children: Map<string, SquashfsNode>;
  number: number;
}
type SquashfsNode = FileNode | SymlinkNode | DirectoryNode;

/** @param ownTimeS time of the file system and of folders no entry brought, in seconds since 1970 */
export async function createSquashfs(path: string, ownTimeS: number): Promise<SquashfsWriter> {
  const file = await open(path, "wx", 0o644);
  const root = createDirectory({ path: "", mode: 0o755, uid: 0, gid: 0, mtimeS: ownTimeS });
  const nodes = new Map<string, SquashfsNode>([["", root]]);
  const paths = new Set<string>();
  let end = superblockBytes;

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
      if (entry.kind === "directory") place(entry.path, createDirectory(entry));
      else if (entry.kind === "symlink") {
        place(entry.path, { kind: "symlink", owner: entry, target: entry.target, number: 0 });
      } else {
        const extent = { start: end, bytes: entry.bytes };
        await writeContent(file, extent, entry);
        end += entry.bytes;
        place(entry.path, {
          kind: "file",
          owner: entry,
          extent,
          links: 1,
          number: 0,
          written: undefined,
        });
      }
    },
    link: (nodePath, target) => {
      const node = nodes.get(target);
      if (node?.kind !== "file") return false;
      place(nodePath, node);
      node.links += 1;
      return true;
    },
    finish: async () => {
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

async function writeContent(
  file: FileHandle,
  extent: FileExtent,
  entry: Extract<SquashfsEntry, { kind: "file" }>,
): Promise<void> {
  let at = extent.start;
  for await (const piece of entry.content) {
    await file.write(piece, 0, piece.length, at);
    at += piece.length;
  }
  if (at !== extent.start + extent.bytes)
    throw refused(entry.path, "is not as long as its package says");
}

/** Writes children before their folder, since a listing refers to their inodes. */
function encodeTree(
  root: DirectoryNode,
  start: number,
  madeAtS: number,
): { superblock: Buffer; rest: Buffer } {
  const inodes = createMetadataTable();
  const directories = createMetadataTable();
  const ids: number[] = [];
  const inodeCount = numberNodes(root);
  const idIndex = (id: number): number => {
    if (!ids.includes(id)) ids.push(id);
    return ids.indexOf(id);
  };
  const headerOf = (node: SquashfsNode): InodeHeader => ({
    mode: node.owner.mode,
    uidIndex: idIndex(node.owner.uid),
    gidIndex: idIndex(node.owner.gid),
    mtimeS: node.owner.mtimeS,
    inode: node.number,
  });
  const write = (node: SquashfsNode, parentInode: number): MetadataReference => {
    if (node.kind === "symlink")
      return inodes.append(encodeSymlinkInode(headerOf(node), node.target, 1));
    if (node.kind === "file") {
      node.written ??= inodes.append(encodeFileInode(headerOf(node), node.extent, node.links));
      return node.written;
    }
    const items = sortedChildren(node).map(([name, child]): DirectoryItem => ({
      name: Buffer.from(name),
      type: inodeType[child.kind],
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
    ids,
    root: rootReference,
    inodeCount,
    start,
    madeAtS,
  });
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
function sortedChildren(node: DirectoryNode): [string, SquashfsNode][] {
  return [...node.children].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function refused(path: string, why: string): LuminaGuardError {
  return new LuminaGuardError("IMAGE_BUILD_FAILED", `the packages' file ${path} ${why}`);
}
