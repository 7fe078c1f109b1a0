/** Takes an image from this host's files and makes a machine's image of it. */
import type { BuildProgress } from "../build-image.ts";
import type { ImageArch } from "../manifest.ts";
import { buildOciImage } from "./build-oci-image.ts";
import { openImportSource } from "./import-source.ts";
import { defaultOciLimits } from "./limits.ts";
import type { ImportRequest } from "./request.ts";

interface ImportPlace {
  readonly output: string;
  /** for what is not part of the image */
  readonly work: string;
  readonly arch: ImageArch;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: BuildProgress) => void) | undefined;
}

/** The manifest's bytes of the image made in `output`. */
export async function importImage(
  { path, tag, base, limits: asked }: ImportRequest,
  { output, work, arch, signal, onProgress }: ImportPlace,
): Promise<Buffer> {
  const limits = { ...defaultOciLimits, ...asked };
  onProgress?.({ phase: "layer", detail: `reading ${path}` });
  const source = await openImportSource(path, { tag, arch, limits, workFolder: work, signal });
  return buildOciImage({ source, base, outputFolder: output, limits, signal });
}
