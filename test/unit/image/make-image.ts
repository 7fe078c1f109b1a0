/** Puts a small image into a store's folder, as a build would. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sha256 } from "../../../src/image/file-digest.ts";
import { createImageNames } from "../../../src/image/image-names.ts";
import { digestOf, encodeManifest } from "../../../src/image/manifest.ts";
import type { ImageDigest, ImageManifest } from "../../../src/image/manifest.ts";

export const sampleFiles: Readonly<Record<string, string>> = {
  "SOURCES.txt": "sources",
  initramfs: "initramfs",
  "licences/busybox-static/copyright": "GPL-2",
  vmlinuz: "kernel",
};

export function makeManifest(
  files: Readonly<Record<string, string>> = sampleFiles,
  more: Partial<ImageManifest> = {},
): ImageManifest {
  return {
    schema: 1,
    kind: "base",
    arch: "amd64",
    kernelRelease: "6.1.0-1-cloud-amd64",
    guest: { sha256: "0".repeat(64), sourcesSha256: "1".repeat(64), go: "go1.23.0" },
    requested: [],
    packages: [],
    files: Object.entries(files).map(([path, text]) => ({
      path,
      bytes: text.length,
      sha256: sha256(text),
    })),
    ...more,
  };
}

/** @param name the name that leads to it, if any */
export async function makeImage(
  cacheDir: string,
  name?: string,
  files: Readonly<Record<string, string>> = sampleFiles,
  more: Partial<ImageManifest> = {},
): Promise<{ readonly digest: ImageDigest; readonly folder: string }> {
  const bytes = encodeManifest(makeManifest(files, more));
  const digest = digestOf(bytes);
  const folder = join(cacheDir, "images", digest);
  for (const [path, text] of [...Object.entries(files), ["manifest.json", bytes] as const]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, path), text, { mode: 0o644 });
  }
  if (name !== undefined)
    await createImageNames(join(cacheDir, "images/names")).set(name, { digest, packages: [] });
  return { digest, folder };
}
