/** Says what lies at a path of the host, and opens it as the root of a machine. */
import { createWriteStream } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { LuminaGuardError } from "../../errors.ts";
import type { ImageArch } from "../manifest.ts";
import type { LayerSource } from "./apply-layers.ts";
import type { BlobSource } from "./blob-source.ts";
import type { RootSource } from "./build-oci-image.ts";
import { decompress, packingOf } from "./decompress.ts";
import type { Descriptor, OciConfig } from "./descriptor.ts";
import { archiveList, readDockerArchive } from "./docker-archive.ts";
import { createArchiveSet, createFolderSet, readRange } from "./file-set.ts";
import type { FileSet } from "./file-set.ts";
import { invalidImage, quote } from "./invalid.ts";
import { createLayoutSource, findInLayout, layoutMarker } from "./layout-source.ts";
import type { OciLimits } from "./limits.ts";
import { resolveImage } from "./resolve-image.ts";
import { readTar } from "./tar-reader.ts";
import { splitPath } from "./tree-path.ts";

interface ImportOptions {
  readonly tag?: string | undefined;
  readonly arch: ImageArch;
  readonly limits: OciLimits;
  /** for an archive that is packed; of no use afterwards */
  readonly workFolder: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A folder or an archive (gzip, zstd or plain) with an OCI layout, a `docker save` archive, else the
 * files of a root as they are. USAGE where there is nothing at the path.
 */
export async function openImportSource(path: string, options: ImportOptions): Promise<RootSource> {
  const place = await realpath(path).catch(() => undefined);
  const stats = place === undefined ? undefined : await lstat(place);
  if (place === undefined || (stats?.isDirectory() !== true && stats?.isFile() !== true)) {
    throw new LuminaGuardError("USAGE", `there is no file or folder ${quote(path)}`, {
      hint: "give an OCI layout, a docker-archive, a tar of a root, or a folder",
    });
  }
  if (stats.isDirectory()) {
    const files = createFolderSet(place);
    if (await files.has(layoutMarker)) return openLayout(files, options);
    return { config: plainConfig, content: { folder: place } };
  }
  const kind = await lookInto(place, options.signal);
  if (kind === "root") {
    const layer: LayerSource = {
      bytes: stats.size,
      open: () => readRange(place, { offset: 0, bytes: stats.size }),
      diffId: undefined,
    };
    return { config: plainConfig, content: { layers: oneByOne([layer]) } };
  }
  const files = await createArchiveSet(await unpacked(place, options));
  if (kind === "layout") return openLayout(files, options);
  const { config, layers } = await readDockerArchive(files, options.tag, options.limits);
  return { config, content: { layers } };
}

/** of a root that says nothing of itself */
const plainConfig: OciConfig = { rootfs: { diff_ids: [] } };

async function openLayout(files: FileSet, options: ImportOptions): Promise<RootSource> {
  const source = createLayoutSource(files, options.limits);
  const digest = await findInLayout(files, options.tag, options.limits);
  const { config, layers } = await resolveImage(source, digest, options);
  return { config, content: { layers: oneByOne(describeLayers(source, layers, config)) } };
}

/** The layers of an image, each opened when it is its turn. */
export function describeLayers(
  source: BlobSource,
  layers: readonly Descriptor[],
  { rootfs }: OciConfig,
): LayerSource[] {
  return layers.map((layer, index) => ({
    bytes: layer.size,
    open: () => source.openBlob(layer),
    diffId: rootfs.diff_ids[index],
  }));
}

export async function* oneByOne<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

/** What an archive is, by the names in it; the two lists of images are near its beginning or its end. */
async function lookInto(
  path: string,
  signal: AbortSignal | undefined,
): Promise<"layout" | "docker" | "root"> {
  let isDocker = false;
  let others = 0;
  for await (const entry of readTar(decompress(readRange(path, { offset: 0, bytes: Infinity })))) {
    signal?.throwIfAborted();
    const name = splitPath(entry.path).join("/");
    if (name === layoutMarker) return "layout";
    if (name === archiveList && entry.kind === "file") isDocker = true;
    else if (!isOfArchive(name)) others += 1;
    if (others > 0) return "root";
  }
  return isDocker ? "docker" : "root";
}

/** Names that a `docker save` archive has: configurations, layers and their folders. */
function isOfArchive(name: string): boolean {
  return (
    ["", "repositories", "index.json", "blobs", "blobs/sha256"].includes(name) ||
    /^(?:blobs\/sha256\/)?[0-9a-f]{64}(?:\.(?:json|tar))?(?:\/(?:layer\.tar|VERSION|json)?)?$/.test(
      name,
    )
  );
}

/** The archive itself where it is plain, else a copy of it unpacked. */
async function unpacked(
  path: string,
  { workFolder, limits, signal }: ImportOptions,
): Promise<string> {
  const target = join(workFolder, "archive.tar");
  const { size } = await lstat(path);
  let bytes = 0;
  for await (const head of readRange(path, { offset: 0, bytes: 4 })) {
    if (packingOf(head) === "none") return path;
  }
  const bounded = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of decompress(readRange(path, { offset: 0, bytes: size }))) {
      signal?.throwIfAborted();
      bytes += piece.length;
      if (bytes > limits.unpackedBytesMax) throw invalidImage("its archive unpacks to too much");
      yield piece;
    }
  };
  await pipeline(bounded, createWriteStream(target, { flags: "wx", mode: 0o600 }));
  return target;
}
