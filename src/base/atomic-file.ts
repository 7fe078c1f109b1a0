/**
 * A file that is wholly the old one or wholly the new one, whatever dies in between: written beside,
 * flushed, renamed, and the folder flushed.
 */
import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Replaces `path`; the file is readable by its owner only.
 * @param beside where it is written first, in the same folder; a killed process leaves it behind
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  beside: string = `${path}.${randomBytes(6).toString("hex")}.tmp`,
): Promise<void> {
  try {
    const file = await open(beside, "wx", 0o600);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes renames and new names in a folder durable; a no-op where folders cannot be flushed. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
