/** Unpacks layers, one after the other, into a tree of names and one file of contents. */
import { createHash } from "node:crypto";
import type { SquashfsWriter } from "../squashfs.ts";
import { decompress } from "./decompress.ts";
import type { Digest } from "./descriptor.ts";
import { invalidImage } from "./invalid.ts";
import type { LayerTree } from "./layer-tree.ts";
import type { OciLimits } from "./limits.ts";
import { readTar } from "./tar-reader.ts";
import type { TarEntry } from "./tar-reader.ts";
import { splitPath } from "./tree-path.ts";

export interface LayerSource {
  /** as it is stored, packed or not */
  readonly bytes: number;
  readonly open: () => AsyncIterable<Uint8Array>;
  /** of the layer unpacked; without one it is not looked at */
  readonly diffId: Digest | undefined;
}

interface Unpacked {
  bytes: number;
  entries: number;
}

const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";

/** Layers from the lowest up. IMAGE_INVALID where one is not what it should be, or too much. */
export async function applyLayers(
  layers: AsyncIterable<LayerSource>,
  into: { readonly tree: LayerTree; readonly contents: Pick<SquashfsWriter, "append"> },
  { limits, signal }: { readonly limits: OciLimits; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const unpacked: Unpacked = { bytes: 0, entries: 0 };
  for await (const layer of layers) {
    const hash = createHash("sha256");
    const before = unpacked.bytes;
    const count = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of decompress(layer.open())) {
        signal?.throwIfAborted();
        hash.update(piece);
        unpacked.bytes += piece.length;
        checkSize(unpacked.bytes, unpacked.bytes - before, layer.bytes, limits);
        yield piece;
      }
    };
    into.tree.beginLayer();
    for await (const entry of readTar(count())) {
      unpacked.entries += 1;
      if (unpacked.entries > limits.entriesMax)
        throw invalidImage(`it has over ${limits.entriesMax} files`);
      await applyEntry(entry, into);
    }
    if (layer.diffId !== undefined && layer.diffId !== `sha256:${hash.digest("hex")}`)
      throw invalidImage("a layer unpacks to another digest than its configuration says");
  }
}

async function applyEntry(
  entry: TarEntry,
  {
    tree,
    contents,
  }: { readonly tree: LayerTree; readonly contents: Pick<SquashfsWriter, "append"> },
): Promise<void> {
  const parts = splitPath(entry.path);
  const name = parts.at(-1) ?? "";
  if (name === opaqueName) tree.makeOpaque(parts.slice(0, -1));
  else if (parts.some((part) => part.startsWith(whiteoutPrefix + whiteoutPrefix)))
    return; // aufs kept its own notes there
  else if (name.startsWith(whiteoutPrefix)) {
    const hidden = name.slice(whiteoutPrefix.length);
    if (["", ".", ".."].includes(hidden)) throw invalidImage("a layer has a whiteout of nothing");
    tree.whiteOut([...parts.slice(0, -1), hidden]);
  } else if (entry.kind === "file") {
    const extent = await contents.append(entry.content, entry.bytes);
    if (extent.bytes !== entry.bytes) throw invalidImage("a layer ends in the middle");
    tree.add(entry, extent);
  } else tree.add(entry, undefined);
}

function checkSize(all: number, layer: number, stored: number, limits: OciLimits): void {
  if (all > limits.unpackedBytesMax) {
    const gibibytes = Math.floor(limits.unpackedBytesMax / 1024 ** 3);
    throw invalidImage(`it unpacks to over ${gibibytes} GiB`);
  }
  if (layer > limits.ratioFromBytes && layer > stored * limits.ratioMax)
    throw invalidImage(`a layer unpacks to over ${limits.ratioMax} times its size`);
}
