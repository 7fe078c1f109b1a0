/**
 * Contents by their hash, one file each. What is taken out is hashed again, so that a damaged blob is
 * never applied.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { LuminaGuardError } from "../errors.ts";

/** larger contents are written while they are hashed, in `bytes` */
const memoryBytesMax = 1024 * 1024;

export interface HashedContent {
  readonly sha256: string;
  readonly size: number;
  /** whether the first bytes hold a NUL */
  readonly binary: boolean;
}

export interface StoreRule {
  /** Whether content with that hash is wanted; else it is hashed and forgotten. */
  readonly wants: (sha256: string) => boolean;
  /** size as announced, in `bytes` */
  readonly size: number;
}

export class BlobFolder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Hashes the content and stores it if it is wanted. */
  async put(content: AsyncIterable<Uint8Array>, rule: StoreRule): Promise<HashedContent> {
    const hasher = new ContentHasher();
    if (rule.size <= memoryBytesMax) {
      const parts: Uint8Array[] = [];
      for await (const chunk of content) {
        hasher.add(chunk);
        parts.push(chunk);
      }
      const hashed = hasher.end();
      if (rule.wants(hashed.sha256)) await this.#write([Buffer.concat(parts)], () => hashed.sha256);
      return hashed;
    }
    let hashed: HashedContent | undefined;
    await this.#write(hasher.through(content), () => {
      hashed = hasher.end();
      return rule.wants(hashed.sha256) ? hashed.sha256 : undefined;
    });
    return hashed ?? hasher.end();
  }

  /** Takes over a blob of another folder, and fails when it is not what its name says. */
  async adopt(other: BlobFolder, blob: Pick<HashedContent, "sha256" | "size">): Promise<void> {
    const content = createReadStream(join(other.folder, blob.sha256)) as AsyncIterable<Buffer>;
    const wants = (sha256: string): boolean => sha256 === blob.sha256;
    const { sha256 } = await this.put(content, { size: blob.size, wants }).catch(
      (cause: unknown) => {
        throw damaged(blob.sha256, cause);
      },
    );
    if (sha256 !== blob.sha256) throw damaged(blob.sha256);
  }

  /** The content of a blob that is small enough to hold, checked against its hash. */
  async read(sha256: string): Promise<Buffer> {
    const bytes = await readFile(join(this.folder, sha256)).catch((cause: unknown) => {
      throw damaged(sha256, cause);
    });
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) throw damaged(sha256);
    return bytes;
  }

  /** Copies a blob into an open file, and fails when it is not what its name says. */
  async copyInto(sha256: string, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const file = await open(join(this.folder, sha256), "r").catch((cause: unknown) => {
      throw damaged(sha256, cause);
    });
    const hash = createHash("sha256");
    try {
      for await (const chunk of file.createReadStream({
        autoClose: false,
      }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        await write(chunk);
      }
    } finally {
      await file.close();
    }
    if (hash.digest("hex") !== sha256) throw damaged(sha256);
  }

  /** Writes beside and renames to the name that is known at the end; no name, no file. */
  async #write(
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    name: () => string | undefined,
  ): Promise<void> {
    const part = join(this.folder, `${randomBytes(8).toString("hex")}.part`);
    try {
      const file = await open(part, "wx", 0o600);
      try {
        for await (const chunk of content) await file.writeFile(chunk);
      } finally {
        await file.close();
      }
      const sha256 = name();
      if (sha256 !== undefined) await rename(part, join(this.folder, sha256));
    } finally {
      await rm(part, { force: true });
    }
  }
}

export class ContentHasher {
  readonly #hash = createHash("sha256");
  #size = 0;
  #binary = false;

  add(chunk: Uint8Array): void {
    if (this.#size < 8000) this.#binary ||= chunk.subarray(0, 8000 - this.#size).includes(0);
    this.#size += chunk.length;
    this.#hash.update(chunk);
  }

  async *through(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      this.add(chunk);
      yield chunk;
    }
  }

  end(): HashedContent {
    return { sha256: this.#hash.digest("hex"), size: this.#size, binary: this.#binary };
  }
}

function damaged(sha256: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError(
    "APPLY_FAILED",
    "a stored change is damaged or gone; the workspace is as it was",
    {
      hint: "run the command again, or drop the change set with luminaguard changes rm",
      details: { sha256 },
      cause,
    },
  );
}
