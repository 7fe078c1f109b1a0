/**
 * Contents by their SHA-256, one file each: copied when an effect is asked for, so that what a person
 * was shown is what is used, whatever happened to the file it came from.
 */
import { createHash, randomBytes } from "node:crypto";
import { open, readFile, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "../base/atomic-file.ts";
import { toHostError } from "../base/host-error.ts";
import { makePrivateFolder } from "../base/private-folder.ts";
import { LuminaGuardError } from "../errors.ts";

export interface Blob {
  /** lower-case hexadecimal */
  readonly sha256: string;
  /** `bytes` */
  readonly size: number;
}

export interface PutOptions {
  /** largest content in `bytes`
   * @default 64 MiB */
  readonly bytesMax?: number;
  readonly signal?: AbortSignal | undefined;
}

const bytesMaxDefault = 64 * 1024 ** 2;
const name = /^[0-9a-f]{64}$/;
const partName = /\.part$/;
/** a part that nobody has written to for so long is a dead process's, in `ms` */
const partAgeMs = 24 * 3600 * 1000;

export class BlobStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Keeps the content; durable when it resolves. Raises HOST_LIMIT when it is larger than allowed. */
  async put(
    content: Uint8Array | AsyncIterable<Uint8Array>,
    { bytesMax = bytesMaxDefault, signal }: PutOptions = {},
  ): Promise<Blob> {
    signal?.throwIfAborted();
    await makePrivateFolder(this.#folder);
    const part = join(this.#folder, `${randomBytes(8).toString("hex")}.part`);
    try {
      const file = await open(part, "wx", 0o600);
      const blob = await this.#write(file, content, bytesMax, signal);
      await rename(part, join(this.#folder, blob.sha256));
      await syncFolder(this.#folder);
      return blob;
    } catch (error) {
      throw toHostError(error, "the content cannot be kept");
    } finally {
      await rm(part, { force: true });
    }
  }

  /** The content, which is what its name says. Raises STORE_FAILED when it is not, or is gone. */
  async read(sha256: string): Promise<Buffer> {
    if (!name.test(sha256)) throw damaged(sha256);
    const bytes = await readFile(join(this.#folder, sha256)).catch((cause: unknown) => {
      throw damaged(sha256, cause);
    });
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) throw damaged(sha256);
    return bytes;
  }

  /** Removes all but those, and what killed processes left half written; gives how many. */
  async prune(keep: ReadonlySet<string>): Promise<number> {
    const names = await readdir(this.#folder).catch((): string[] => []); // nothing was ever kept
    let removed = 0;
    for (const each of names) {
      const path = join(this.#folder, each);
      const isOver = name.test(each) ? !keep.has(each) : partName.test(each) && (await isOld(path));
      if (!isOver) continue;
      await unlink(path).then(
        () => (removed += 1),
        () => undefined, // another process removed it
      );
    }
    return removed;
  }

  async #write(
    file: FileHandle,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    bytesMax: number,
    signal: AbortSignal | undefined,
  ): Promise<Blob> {
    const hash = createHash("sha256");
    let size = 0;
    try {
      for await (const chunk of content instanceof Uint8Array ? [content] : content) {
        signal?.throwIfAborted();
        size += chunk.length;
        if (size > bytesMax) throw tooLarge(bytesMax);
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    return { sha256: hash.digest("hex"), size };
  }
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > partAgeMs;
}

function tooLarge(bytesMax: number): LuminaGuardError {
  return new LuminaGuardError("HOST_LIMIT", `the content is larger than ${bytesMax} bytes`, {
    hint: "what an approval is about is kept whole; ask for less at once",
  });
}

function damaged(sha256: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("STORE_FAILED", "a stored content is damaged or gone", {
    hint: "what needs it is not executed; ask again",
    details: { sha256 },
    cause,
  });
}
