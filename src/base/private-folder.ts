/** Folders that only this user may enter: what is in them is trusted, so whose they are is checked. */
import { lstat, mkdir } from "node:fs/promises";
import { LuminaGuardError } from "../errors.ts";

/**
 * Makes the folder, 0700, or accepts one that is this user's alone. Raises HOST_LIMIT when it is a
 * link, another user's, open to others, or cannot be made.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) {
    throw new LuminaGuardError("HOST_LIMIT", `cannot make the folder ${path}`, {
      hint: "check that its parent can be written and the disk is not full",
      cause: made,
    });
  }
  if (process.getuid === undefined) return; // Windows: the profile folder's own rights apply
  const isOurs =
    found.isDirectory() && found.uid === process.getuid() && (found.mode & 0o077) === 0;
  if (isOurs) return;
  throw new LuminaGuardError(
    "HOST_LIMIT",
    `${path} is not a folder that only this user may enter`,
    {
      hint: `remove it, or make it private: chmod 700 ${path}`,
    },
  );
}
