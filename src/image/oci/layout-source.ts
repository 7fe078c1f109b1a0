/**
 * An OCI layout (image-layout.md), as `umoci`, `skopeo` and `docker buildx` write it: a folder, or the
 * same in an uncompressed archive.
 */
import { LuminaGuardError } from "../../errors.ts";
import type { BlobSource } from "./blob-source.ts";
import { checkBlob } from "./blob-source.ts";
import { parseIndex } from "./descriptor.ts";
import type { Descriptor, Digest } from "./descriptor.ts";
import type { FileSet } from "./file-set.ts";
import { quote } from "./invalid.ts";
import type { OciLimits } from "./limits.ts";

export const layoutMarker = "oci-layout";
const refName = "org.opencontainers.image.ref.name";

export function createLayoutSource(files: FileSet, limits: OciLimits): BlobSource {
  const pathOf = (digest: Digest): string => `blobs/${digest.replace(":", "/")}`;
  return {
    readManifest: async (digest) => {
      const bytes = await files.readWhole(pathOf(digest), limits.manifestBytesMax);
      return { bytes, mediaType: "" };
    },
    openBlob: (blob) => checkBlob(files.open(pathOf(blob.digest)), blob),
  };
}

/** The image of the tag, or the only one there is. USAGE names the tags where there are several. */
export async function findInLayout(
  files: FileSet,
  tag: string | undefined,
  limits: OciLimits,
): Promise<Digest> {
  const { manifests } = parseIndex(await files.readWhole("index.json", limits.manifestBytesMax));
  const named = manifests.filter((each) => tag === undefined || tagOf(each) === tag);
  const digests = [...new Set(named.map(({ digest }) => digest))];
  const [digest] = digests;
  if (digest !== undefined && digests.length === 1) return digest;
  const tags = manifests.flatMap((each) => tagOf(each) ?? []).map(quote);
  const what = tag === undefined ? "there are several images" : `there is no image ${quote(tag)}`;
  throw new LuminaGuardError("USAGE", `${what} in it: ${tags.slice(0, 20).join(", ")}`, {
    hint: "say which one: --tag TAG",
  });
}

function tagOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[refName];
}
