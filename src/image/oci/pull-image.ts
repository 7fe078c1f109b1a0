/** Fetches one image from its registry and makes a machine's image of it. */
import type { BuildProgress } from "../build-image.ts";
import type { ImageArch } from "../manifest.ts";
import type { PullRequest } from "./request.ts";
import { LuminaGuardError } from "../../errors.ts";
import { buildOciImage } from "./build-oci-image.ts";
import { describeLayers, oneByOne } from "./import-source.ts";
import { defaultOciLimits } from "./limits.ts";
import { renderReference } from "./reference.ts";
import type { ImageReference } from "./reference.ts";
import { createBlobStore } from "./registry/blob-store.ts";
import { createCredentialFinder } from "./registry/docker-config.ts";
import { RegistryHttp } from "./registry/registry-http.ts";
import { createRegistrySource } from "./registry/registry-source.ts";
import { defaultRetryRules } from "./registry/retry-rules.ts";
import { resolveImage } from "./resolve-image.ts";

interface PullPlace {
  readonly reference: ImageReference;
  readonly output: string;
  readonly blobsFolder: string;
  readonly arch: ImageArch;
  /** proxies, and what a credential helper gets */
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: BuildProgress) => void) | undefined;
}

const defaultTimeoutMs = 3_600_000;

/** The manifest's bytes of the image made in `output`. */
export async function pullImage(request: PullRequest, place: PullPlace): Promise<Buffer> {
  const { reference, arch, env, onProgress = () => undefined } = place;
  const limits = { ...defaultOciLimits, ...request.limits };
  const retry = { ...defaultRetryRules, ...request.retry };
  const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
  const name = renderReference(reference);
  using deadline = startDeadline(timeoutMs, name);
  const signal =
    place.signal === undefined ? deadline.signal : AbortSignal.any([place.signal, deadline.signal]);
  const find = createCredentialFinder(request.dockerConfigPath, { env, signal });
  const { host, repository } = reference;
  await using http = new RegistryHttp({ host, repository, find, retry, env, signal });
  let got = 0;
  let all = 0;
  const onBytes = (bytes: number): void => {
    got += bytes;
    onProgress({ phase: "pull", detail: `${name} · ${mebibytes(got)} of ${mebibytes(all)} MiB` });
  };
  const blobs = createBlobStore(place.blobsFolder);
  const source = createRegistrySource({ http, blobs, limits, retry, signal, onBytes });
  onProgress({ phase: "pull", detail: name });
  const digest = await source.resolve(reference);
  const { config, layers } = await resolveImage(source, digest, { arch, limits });
  all = layers.reduce((sum, { size }) => sum + size, 0);
  source.prefetch(layers);
  return await buildOciImage({
    source: { config, content: { layers: oneByOne(describeLayers(source, layers, config)) } },
    base: request.base,
    outputFolder: place.output,
    limits,
    signal,
  });
}

function startDeadline(timeoutMs: number, name: string): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const message = `${name} took longer than ${Math.round(timeoutMs / 1000)} s`;
    controller.abort(
      new LuminaGuardError("TIMEOUT", message, { hint: "pull it again: what came is kept" }),
    );
  }, timeoutMs);
  timer.unref();
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 1024 ** 2);
}
