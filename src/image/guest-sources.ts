/**
 * Finds the guest agent's sources, which ship with the package, and says which they are: a digest
 * over the files that are compiled, so tests and documentation do not change an image.
 */
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../base/package-root.ts";
import { LuminaGuardError } from "../errors.ts";

/** `guest/` of this package */
export const guestFolder: string = fileURLToPath(new URL("guest", packageRoot));

/** digest of the guest's sources, as 64 hex digits */
export async function digestGuestSources(folder: string = guestFolder): Promise<string> {
  const hash = createHash("sha256");
  for (const path of await listGuestSources(folder)) {
    const bytes = await readFile(join(folder, path));
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Paths of the compiled files below the folder, with `/`, sorted. */
export async function listGuestSources(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw noSources(folder, error);
  });
  const paths = all.map((path) => path.split(sep).join("/")).filter(isSource);
  if (paths.length === 0) throw noSources(folder);
  return paths.sort();
}

function isSource(path: string): boolean {
  if (path.endsWith("_test.go") || path.split("/").includes("testdata")) return false;
  return /\.(?:go|s)$/.test(path) || path === "go.mod" || path === "go.sum";
}

function noSources(folder: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError(
    "IMAGE_BUILD_FAILED",
    `the guest agent's sources are not in ${folder}`,
    {
      hint: "install luminaguard again: the package ships them in guest/",
      cause,
    },
  );
}
