/** Where the parts of an image come from: a registry, a folder or an archive. */
import { createHash } from "node:crypto";
import type { Descriptor, Digest } from "./descriptor.ts";
import { invalidImage } from "./invalid.ts";

export interface BlobSource {
  /** the bytes of an index or a manifest, and what their sender calls them */
  readonly readManifest: (digest: Digest) => Promise<{ bytes: Buffer; mediaType: string }>;
  /** a stream of the blob's bytes, for one reader; whoever reads checks them */
  readonly openBlob: (blob: Descriptor) => AsyncIterable<Uint8Array>;
}

/** The stream, raising IMAGE_INVALID at its end, or before, where it is not that blob. */
export async function* checkBlob(
  source: AsyncIterable<Uint8Array>,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of source) {
    bytes += piece.length;
    if (bytes > size) throw invalidImage(`the blob ${digest} is larger than its ${size} bytes`);
    hash.update(piece);
    yield piece;
  }
  if (bytes < size) throw invalidImage(`the blob ${digest} ends after ${bytes} of ${size} bytes`);
  const found = `sha256:${hash.digest("hex")}`;
  if (found !== digest) throw invalidImage(`the blob ${digest} has the digest ${found}`);
}

/** A blob as a whole, checked. */
export async function readBlob(
  source: BlobSource,
  blob: Descriptor,
  { what, bytesMax }: { readonly what: string; readonly bytesMax: number },
): Promise<Buffer> {
  if (blob.size > bytesMax) throw invalidImage(`its ${what} is over ${bytesMax} bytes`);
  const pieces: Uint8Array[] = [];
  for await (const piece of checkBlob(source.openBlob(blob), blob)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** IMAGE_INVALID where the bytes have another digest. */
export function checkDigest(bytes: Uint8Array, digest: Digest): void {
  const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (found !== digest) throw invalidImage(`the manifest ${digest} has the digest ${found}`);
}
