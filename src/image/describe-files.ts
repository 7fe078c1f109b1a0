/** The list of an image's files that its manifest has. */
import { chmod, lstat, readdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { sha256OfFile } from "./file-digest.ts";
import type { ManifestFile } from "./manifest.ts";

/** Every file below the folder, sorted by path. */
export async function describeFiles(folder: string): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    const stats = await lstat(path);
    if (!stats.isFile()) continue;
    await chmod(path, 0o644); // whatever the caller's umask
    files.push({
      path: name.split(sep).join("/"),
      bytes: stats.size,
      sha256: await sha256OfFile(path),
    });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
