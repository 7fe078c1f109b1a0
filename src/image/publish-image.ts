/**
 * Moves a finished image to its place by one rename. Builds that make the same image at the same
 * time all succeed: the digest is the same, so whoever is first has put the right one there.
 */
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError, isLuminaGuardError } from "../errors.ts";
import { verifyImageFolder } from "./image-verify.ts";
import type { ImageDigest } from "./manifest.ts";

/** tries before giving up on a folder that others keep replacing */
const triesMax = 5;

interface PublishOptions {
  /** the finished image */
  readonly from: string;
  readonly to: string;
  readonly digest: ImageDigest;
  /** takes a broken image that was in the way */
  readonly workFolder: string;
}

/** An image that is there already is kept where its files are whole; a broken one is moved aside. */
export async function publishImage(options: PublishOptions): Promise<void> {
  const { from, to, digest, workFolder } = options;
  for (let attempt = 0; attempt < triesMax; attempt += 1) {
    if (await moveTo(from, to)) return;
    const recordPath = join(workFolder, "verified.json");
    if (await isWhole(to, digest, recordPath)) return;
    await rename(to, join(workFolder, `broken-${attempt}`)).catch((error: unknown) => {
      if (!hasCode(error, "ENOENT")) throw error; // another build moved it first
    });
  }
  throw new LuminaGuardError("IMAGE_BUILD_FAILED", `the image could not be put at ${to}`);
}

/** False where something is in the way. */
async function moveTo(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOTEMPTY", "EEXIST", "ENOTDIR")) return false;
    throw error;
  }
}

async function isWhole(folder: string, digest: ImageDigest, recordPath: string): Promise<boolean> {
  try {
    await verifyImageFolder({ folder, digest, recordPath, rebuildHint: "", full: true });
    return true;
  } catch (error) {
    if (isLuminaGuardError(error, "IMAGE_INVALID")) return false;
    throw error;
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? "");
}
