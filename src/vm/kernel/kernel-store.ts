/**
 * Unpacked kernels on disk, each named by the hash of what it came from and its own:
 *
 *   <kernels>/<sha256 of the packed file>-<sha256 of the kernel>
 *
 * So a kernel is unpacked once, and one that is not what it was is unpacked again.
 */
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { unpackKernel } from "./unpack-kernel.ts";

export class KernelStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Path of the kernel that is packed in the file, checked against its hash. Raises IMAGE_INVALID where
   * there is none, and the host's own errors.
   */
  async open(packedPath: string): Promise<string> {
    const packed = await readFile(packedPath);
    const prefix = `${sha256(packed)}-`;
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names.filter((each) => each.startsWith(prefix))) {
      const path = join(this.#folder, name);
      const kernel = await readFile(path).catch(() => undefined);
      if (kernel !== undefined && name === prefix + sha256(kernel)) return path;
      await rm(path, { force: true });
    }
    const kernel = unpackKernel(packed);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const path = join(this.#folder, prefix + sha256(kernel));
    await writeFileAtomic(path, kernel);
    await chmod(path, 0o644); // a machine's own user reads it; the folder is private
    return path;
  }
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
