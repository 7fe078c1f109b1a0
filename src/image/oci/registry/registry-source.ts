/** An image in a registry: its manifests by HTTP, its blobs through the store of blobs. */
import type { BlobSource } from "../blob-source.ts";
import { checkBlob } from "../blob-source.ts";
import { acceptedTypes, isDigest } from "../descriptor.ts";
import type { Descriptor, Digest } from "../descriptor.ts";
import { invalidImage, quote } from "../invalid.ts";
import { LuminaGuardError } from "../../../errors.ts";
import type { OciLimits } from "../limits.ts";
import { renderReference } from "../reference.ts";
import type { ImageReference } from "../reference.ts";
import { createHash } from "node:crypto";
import type { BlobStore } from "./blob-store.ts";
import { readFileBlob } from "./blob-store.ts";
import { fetchBlob } from "./fetch-blob.ts";
import type { RegistryHttp } from "./registry-http.ts";
import type { RetryRules } from "./retry-rules.ts";

interface RegistrySourceOptions {
  readonly http: RegistryHttp;
  readonly blobs: BlobStore;
  readonly limits: OciLimits;
  readonly retry: RetryRules;
  readonly signal: AbortSignal;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

export interface RegistrySource extends BlobSource {
  /** the digest a reference means now */
  readonly resolve: (reference: ImageReference) => Promise<Digest>;
  /** begins to fetch blobs before they are opened */
  readonly prefetch: (blobs: readonly Descriptor[]) => void;
}

/** blobs fetched at a time; more does not make one registry faster */
const fetchesMax = 3;

export function createRegistrySource(options: RegistrySourceOptions): RegistrySource {
  const { http, blobs, limits, retry, signal, onBytes } = options;
  const manifests = new Map<Digest, { bytes: Buffer; mediaType: string }>();
  const fetches = new Map<Digest, Promise<string>>();
  const takeTurn = createTurns(fetchesMax);
  const readManifest = async (name: string): Promise<{ bytes: Buffer; mediaType: string }> => {
    const answer = await http.get(`manifests/${name}`, { accept: acceptedTypes });
    if (answer.status === 404) {
      answer.body.destroy();
      throw new LuminaGuardError("IMAGE_NOT_FOUND", "the registry has no such image", {
        hint: "look at its repository and tag",
      });
    }
    const mediaType = answer.headers["content-type"] ?? "";
    return { bytes: await http.readWhole(answer, limits.manifestBytesMax), mediaType };
  };
  const bring = async (blob: Descriptor): Promise<string> => {
    const there = await blobs.find(blob);
    if (there !== undefined) return there;
    const path = await blobs.partPath(blob.digest);
    await fetchBlob({ http, blob, path, retry, signal, ...(onBytes && { onBytes }) });
    return blobs.keep(path, blob.digest);
  };
  const fetch = (blob: Descriptor): Promise<string> => {
    const known = fetches.get(blob.digest);
    if (known !== undefined) return known;
    const begun = takeTurn(() => bring(blob));
    begun.catch(() => undefined); // whoever opens the blob is told
    fetches.set(blob.digest, begun);
    return begun;
  };
  return {
    resolve: async (reference) => {
      const name = reference.digest ?? reference.tag ?? "latest";
      const found = await readManifest(name).catch((error: unknown) => {
        throw nameReference(error, reference);
      });
      const digest: Digest = `sha256:${createHash("sha256").update(found.bytes).digest("hex")}`;
      if (isDigest(name) && digest !== name)
        throw invalidImage(`the registry gave ${quote(digest)} for ${quote(name)}`);
      manifests.set(digest, found);
      return digest;
    },
    readManifest: async (digest) => manifests.get(digest) ?? readManifest(digest),
    prefetch: (wanted) => {
      for (const blob of wanted) void fetch(blob).catch(() => undefined);
    },
    openBlob: async function* (blob) {
      try {
        yield* checkBlob(readFileBlob(await fetch(blob)), blob);
      } catch (error) {
        // a kept blob that is no longer whole is fetched anew by the next pull
        if (error instanceof LuminaGuardError && error.code === "IMAGE_INVALID")
          await blobs.forget(blob.digest);
        throw error;
      }
    },
  };
}

function nameReference(error: unknown, reference: ImageReference): unknown {
  if (!(error instanceof LuminaGuardError) || error.code !== "IMAGE_NOT_FOUND") return error;
  const message = `${renderReference(reference)}: ${error.message}`;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new LuminaGuardError("IMAGE_NOT_FOUND", message, { ...hint, cause: error });
}

/** Runs so many at a time, the rest in the order they were asked for. */
function createTurns(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}
