/**
 * Blobs that were fetched, by digest, and those that are on their way. What one process began another
 * goes on with once the first is gone: the name of a part says whose it is.
 *
 *   CACHE/blobs/sha256-HEX                 whole, checked when it was put there
 *   CACHE/blobs/sha256-HEX.part-PID-TICKS  on its way
 */
import { lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { identifySelf, isRunning } from "../../../process/process-identity.ts";
import type { Descriptor, Digest } from "../descriptor.ts";

export interface BlobStore {
  /** the path of a blob that is there and whole */
  readonly find: (blob: Pick<Descriptor, "digest" | "size">) => Promise<string | undefined>;
  /** where a blob is gathered, with what came before */
  readonly partPath: (digest: Digest) => Promise<string>;
  /** the part is the whole blob */
  readonly keep: (part: string, digest: Digest) => Promise<string>;
  readonly forget: (digest: Digest) => Promise<void>;
}

const partPattern = /^(sha256-[0-9a-f]{64})\.part-(\d+)-(\d+|x)$/;

/** @param folder made where it is missing */
export function createBlobStore(folder: string): BlobStore {
  const pathOf = (digest: Digest): string => join(folder, digest.replace(":", "-"));
  return {
    find: async ({ digest, size }) => {
      const stats = await lstat(pathOf(digest)).catch(() => undefined);
      return stats?.isFile() === true && stats.size === size ? pathOf(digest) : undefined;
    },
    partPath: async (digest) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { pid, startTicks } = identifySelf();
      const own = `${pathOf(digest)}.part-${pid}-${startTicks ?? "x"}`;
      const left = await findLeftPart(folder, digest);
      // where another process is quicker, the blob is fetched from its beginning
      if (left !== undefined) await rename(left, own).catch(() => undefined);
      return own;
    },
    keep: async (part, digest) => {
      await rename(part, pathOf(digest));
      return pathOf(digest);
    },
    forget: async (digest) => rm(pathOf(digest), { force: true }),
  };
}

async function findLeftPart(folder: string, digest: Digest): Promise<string | undefined> {
  for (const name of await readdir(folder)) {
    const [, blob, pid, ticks] = partPattern.exec(name) ?? [];
    if (blob !== digest.replace(":", "-")) continue;
    const startTicks = ticks === "x" ? null : Number(ticks);
    if (!(await isRunning({ pid: Number(pid), startTicks }))) return join(folder, name);
  }
  return undefined;
}

/** A stream of a kept blob. */
export async function* readFileBlob(path: string): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    for await (const piece of stream) yield piece as Buffer;
  } finally {
    stream.destroy();
  }
}
