/**
 * The base image as an npm package of its own, one for each kind of processor, which `make release`
 * makes: with it a host needs neither Debian nor Go to begin.
 */
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { manifestName, parseManifest } from "./manifest.ts";
import type { ImageArch } from "./manifest.ts";

/** The package's name on every registry. */
export function basePackageName(arch: ImageArch): string {
  return `luminaguard-base-image-${arch}`;
}

/** The image's folder in the package, where it is installed beside this one. */
export function findBasePackage(arch: ImageArch): string | undefined {
  try {
    const place = createRequire(import.meta.url).resolve(`${basePackageName(arch)}/package.json`);
    return join(dirname(place), "image");
  } catch {
    return undefined; // not installed
  }
}

/** Copies the image's files to a folder made here; gives the manifest's bytes. Nothing is checked. */
export async function copyBaseImage(folder: string, output: string): Promise<Buffer> {
  const bytes = await readFile(join(folder, manifestName));
  await mkdir(output, { mode: 0o700 });
  for (const path of [manifestName, ...parseManifest(bytes).files.map((file) => file.path)]) {
    await mkdir(dirname(join(output, path)), { recursive: true, mode: 0o700 });
    await copyFile(join(folder, path), join(output, path));
  }
  return bytes;
}
