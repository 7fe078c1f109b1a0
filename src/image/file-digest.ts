/** SHA-256 of files, read in pieces so that a large one needs no memory. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";

const pieceBytes = 1024 * 1024;

/** Hex digits; rejects as reading the file does. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(
    createReadStream(path, { highWaterMark: pieceBytes }),
    hash,
    ...(signal === undefined ? [] : [{ signal }]),
  );
  return hash.digest("hex");
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
