/** An exported audit as a stream of bytes. */
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { toHostError } from "../base/host-error.ts";

/** Raises HOST_LIMIT when there is no such file or it cannot be read. */
export async function openExport(path: string): Promise<Readable> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw toHostError(error, "the export cannot be read");
  });
  return file.createReadStream();
}
