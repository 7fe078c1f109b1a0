/**
 * Brings one blob to a file. Where the connection is cut it goes on from what there is (Range,
 * RFC 9110, 14.2), here and in the next process; the digest is of all that lies in the file.
 */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { Descriptor } from "../descriptor.ts";
import { invalidImage } from "../invalid.ts";
import type { RegistryAnswer, RegistryHttp } from "./registry-http.ts";
import { isOfConnection, waitForTry } from "./retry-rules.ts";
import type { RetryRules } from "./retry-rules.ts";

interface FetchBlobOptions {
  readonly http: RegistryHttp;
  readonly blob: Descriptor;
  /** what is in it is gone on with */
  readonly path: string;
  readonly retry: RetryRules;
  readonly signal: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

/** Raises IMAGE_INVALID where the blob is not what its digest says. */
export async function fetchBlob(options: FetchBlobOptions): Promise<void> {
  const { blob, path, retry, signal } = options;
  await using file = await open(path, "a+", 0o600);
  let gathered = await hashFile(file, blob.size);
  let resumed = gathered.bytes > 0;
  for (let tries = 1; ;) {
    const before = gathered.bytes;
    let retryAfter: string | undefined;
    try {
      if (gathered.bytes < blob.size) retryAfter = await fetchRest(options, file, gathered);
    } catch (error) {
      signal.throwIfAborted();
      if (!isOfConnection(error)) throw error;
    }
    if (gathered.bytes === blob.size) {
      const found = `sha256:${gathered.hash.digest("hex")}`;
      if (found === blob.digest) break;
      await file.truncate(0);
      if (!resumed) throw invalidImage(`the blob ${blob.digest} has the digest ${found}`);
      resumed = false; // what lay there was not its beginning: once from the start
      gathered = { bytes: 0, hash: createHash("sha256") };
      continue;
    }
    tries = gathered.bytes > before ? 1 : tries + 1;
    resumed = resumed || gathered.bytes > 0;
    if (tries > retry.triesMax) throw cutShort(blob, gathered.bytes);
    await waitForTry(tries, retryAfter, retry, signal);
  }
  await file.sync();
}

interface Gathered {
  bytes: number;
  hash: Hash;
}

async function hashFile(file: FileHandle, bytesMax: number): Promise<Gathered> {
  const hash = createHash("sha256");
  const { size } = await file.stat();
  if (size > bytesMax) {
    await file.truncate(0);
    return { bytes: 0, hash };
  }
  const buffer = Buffer.allocUnsafe(256 * 1024);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return { bytes: at, hash };
}

/** Gives what the registry asks us to wait, where it broke off. */
async function fetchRest(
  { http, blob, onBytes }: FetchBlobOptions,
  file: FileHandle,
  gathered: Gathered,
): Promise<string | undefined> {
  const from = gathered.bytes;
  const range = from > 0 ? { range: `bytes=${from}-` } : {};
  const answer = await http.get(`blobs/${blob.digest}`, range);
  if (answer.status === 416 || (answer.status === 200 && from > 0)) {
    await file.truncate(0);
    gathered.bytes = 0;
    gathered.hash = createHash("sha256");
  }
  if (answer.status === 416) {
    answer.body.destroy();
    return undefined;
  }
  if (answer.status !== 200 && !continues(answer, from)) {
    answer.body.destroy();
    throw http.unexpected(answer);
  }
  for await (const piece of answer.body) {
    if (gathered.bytes + piece.length > blob.size) {
      answer.body.destroy();
      throw invalidImage(`the blob ${blob.digest} is larger than its ${blob.size} bytes`);
    }
    await file.appendFile(piece);
    gathered.hash.update(piece);
    gathered.bytes += piece.length;
    onBytes?.(piece.length);
  }
  return answer.headers["retry-after"];
}

function continues({ status, headers }: RegistryAnswer, from: number): boolean {
  const start = /^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1];
  return status === 206 && start !== undefined && Number(start) === from;
}

function cutShort({ digest, size }: Descriptor, bytes: number): Error {
  return invalidImage(`the registry gave ${bytes} of the ${size} bytes of ${digest}`, {
    hint: "pull it again: what came is kept",
  });
}
