/** From a reference's first bytes to one image: index, platform, manifest, configuration, layers. */
import type { ImageArch } from "../manifest.ts";
import { checkDigest, readBlob } from "./blob-source.ts";
import type { BlobSource } from "./blob-source.ts";
import { choosePlatform } from "./choose-platform.ts";
import { parseConfig, parseIndexOrManifest } from "./descriptor.ts";
import type { Descriptor, Digest, OciConfig } from "./descriptor.ts";
import { invalidImage, quote } from "./invalid.ts";
import type { OciLimits } from "./limits.ts";

/** One image for one processor, as whoever made it described it. */
export interface ResolvedImage {
  /** of the manifest for this processor */
  readonly digest: Digest;
  readonly config: OciConfig;
  readonly layers: readonly Descriptor[];
}

/** an index may lead to an index; more levels are a loop */
const indexDepthMax = 3;

export async function resolveImage(
  source: BlobSource,
  digest: Digest,
  { arch, limits }: { readonly arch: ImageArch; readonly limits: OciLimits },
): Promise<ResolvedImage> {
  let at = digest;
  for (let depth = 0; depth <= indexDepthMax; depth += 1) {
    const { bytes, mediaType } = await source.readManifest(at);
    checkDigest(bytes, at);
    const found = parseIndexOrManifest(bytes, mediaType);
    if (found.kind === "index") {
      at = choosePlatform(found.index, arch).digest;
      continue;
    }
    const { config, layers } = found.manifest;
    checkLayers(layers, limits);
    const text = await readBlob(source, config, {
      what: "configuration",
      bytesMax: limits.configBytesMax,
    });
    const parsed = parseConfig(text);
    checkConfig(parsed, layers, arch);
    return { digest: at, config: parsed, layers };
  }
  throw invalidImage("its indexes lead to each other");
}

function checkLayers(layers: readonly Descriptor[], limits: OciLimits): void {
  if (layers.length > limits.layersMax)
    throw invalidImage(`it has over ${limits.layersMax} layers`);
  for (const { size, mediaType } of layers) {
    if (size > limits.layerBytesMax)
      throw invalidImage(`a layer is over ${Math.floor(limits.layerBytesMax / 1024 ** 3)} GiB`);
    if (/foreign|nondistributable|encrypted/.test(mediaType))
      throw invalidImage(`a layer of the kind ${quote(mediaType)} cannot be had`);
    if (mediaType !== "" && !/layer|rootfs|tar/.test(mediaType))
      throw invalidImage(`a layer is of the kind ${quote(mediaType)}, not an archive of files`);
  }
}

function checkConfig(
  { os = "linux", architecture, rootfs }: OciConfig,
  layers: readonly Descriptor[],
  arch: ImageArch,
): void {
  const isOurs = architecture === undefined || architecture === "" || architecture === arch;
  if ((os !== "" && os !== "linux") || !isOurs) {
    throw invalidImage(`it is for ${quote(`${os}/${architecture ?? ""}`)}, not linux/${arch}`, {
      hint: "machines run on this host's own kind of processor",
    });
  }
  if (rootfs.diff_ids.length !== layers.length)
    throw invalidImage("its configuration names another number of layers than its manifest");
}
