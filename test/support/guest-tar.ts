/** What a guest would send: a tar stream of a tree, written by another implementation than the one under test. */
import { pack } from "tar-stream";
import type { Headers } from "tar-stream";
import type { Tree } from "./make-tree.ts";

export type GuestEntry = Headers & { readonly content?: string | Buffer };

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function makeTar(entries: readonly GuestEntry[]): Promise<Buffer> {
  const stream = pack();
  for (const { content, ...header } of entries) {
    if (content === undefined) stream.entry({ ...header, size: header.size ?? 0 }).end();
    else stream.entry(header, content);
  }
  stream.finalize();
  return await collect(stream);
}

/** The tree's entries, sorted, each folder before what it holds. */
export function treeEntries(tree: Tree): GuestEntry[] {
  const folders = new Set<string>();
  const entries: GuestEntry[] = [];
  for (const [path, node] of Object.entries(tree)) {
    for (let cut = path.indexOf("/"); cut >= 0; cut = path.indexOf("/", cut + 1)) {
      folders.add(path.slice(0, cut));
    }
    if (node === null) folders.add(path);
    else if (typeof node === "string") entries.push({ name: path, mode: 0o644, content: node });
    else if ("link" in node) entries.push({ name: path, type: "symlink", linkname: node.link });
    else entries.push({ name: path, mode: 0o755, content: node.run });
  }
  for (const name of folders) entries.push({ name, type: "directory", mode: 0o755 });
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1));
}

export async function tarOf(tree: Tree): Promise<Buffer> {
  return await makeTar(treeEntries(tree));
}

/** The bytes in pieces of the given sizes, over and over. */
export async function* inPieces(
  bytes: Buffer,
  sizes: readonly number[] = [65536],
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    yield await Promise.resolve(bytes.subarray(at, at + size));
    at += size;
  }
}
