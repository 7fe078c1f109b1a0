/**
 * The files of a saved machine as frames: each has its name and size first, its SHA-256 last, and what is
 * zeroes told and not sent. Whoever sends them is not trusted.
 */
import { createHash } from "node:crypto";
import { open, readdir, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { toHostError } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { Frame } from "./frames.ts";
import { partSchema } from "./messages.ts";
import type { FilePart } from "./messages.ts";

/** Where frames go: a link, or a file. */
export interface FrameSink {
  readonly send: (message: unknown) => Promise<void>;
  /** at most `frameBytesMax` bytes */
  readonly sendPart: (bytes: Buffer) => Promise<void>;
}

const blockBytes = 256 * 1024;
const zeroes = Buffer.alloc(blockBytes);
/** a backend has a few; a machine's memory is one of them */
const filesMax = 16;
/** beside the memory: devices, and what a backend says of itself */
const besideMemoryBytes = 128 * 1024 ** 2;

/** Every file of the folder. Gives how many bytes they have. */
export async function sendFiles(
  sink: FrameSink,
  folder: string,
  onProgress?: (bytes: number) => void,
): Promise<number> {
  let sent = 0;
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const { size: bytes } = await stat(path);
    await sink.send({ kind: "file", name, bytes } satisfies FilePart);
    const sha256 = await sendContent(sink, path, (more) => {
      sent += more;
      onProgress?.(sent);
    });
    await sink.send({ kind: "file end", sha256 } satisfies FilePart);
  }
  return sent;
}

async function sendContent(
  sink: FrameSink,
  path: string,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path, "r");
  let empty = 0;
  const flush = async (): Promise<void> => {
    if (empty > 0) await sink.send({ kind: "zeroes", bytes: empty } satisfies FilePart);
    empty = 0;
  };
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, null);
      if (bytesRead === 0) break;
      const block = buffer.subarray(0, bytesRead);
      hash.update(block);
      if (block.equals(zeroes.subarray(0, bytesRead))) empty += bytesRead;
      else {
        await flush();
        await sink.sendPart(block);
      }
      onBytes(bytesRead);
    }
    await flush();
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

/**
 * Takes them into an empty private folder, up to the message that ends them, which it gives. Raises
 * WIRE_BROKEN, WIRE_LIMIT and HOST_LIMIT; the folder is the caller's to remove then.
 */
export async function receiveFiles(
  next: () => Promise<Frame>,
  folder: string,
  memoryMib: number,
): Promise<{ readonly end: unknown; readonly bytes: number }> {
  const bytesMax = memoryMib * 1024 ** 2 + besideMemoryBytes;
  let bytes = 0;
  for (let count = 0; ; count += 1) {
    const frame = await next();
    const part = frame.kind === "message" ? v.safeParse(partSchema, frame.message) : undefined;
    if (frame.kind === "message" && part?.success !== true) return { end: frame.message, bytes };
    if (part?.success !== true || part.output.kind !== "file") throw broken("bytes of no file");
    if (count === filesMax) throw tooMuch(`more than ${filesMax} files`);
    bytes += part.output.bytes;
    if (bytes > bytesMax) throw tooMuch(`files of ${bytes} bytes for ${memoryMib} MiB of memory`);
    await receiveFile(next, join(folder, part.output.name), part.output.bytes);
  }
}

async function receiveFile(next: () => Promise<Frame>, path: string, bytes: number): Promise<void> {
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw toHostError(error, "a machine's file cannot be made");
  });
  try {
    await writeContent(next, file, bytes);
    await file.sync();
  } catch (error) {
    throw toHostError(error, "a machine's file cannot be written");
  } finally {
    await file.close();
  }
}

async function writeContent(
  next: () => Promise<Frame>,
  file: FileHandle,
  bytes: number,
): Promise<void> {
  const hash = createHash("sha256");
  let at = 0;
  const take = (more: number): void => {
    if (at + more > bytes) throw broken("a file that is longer than it said");
    at += more;
  };
  for (;;) {
    const frame = await next();
    if (frame.kind === "bytes") {
      const from = at;
      take(frame.bytes.length);
      hash.update(frame.bytes);
      await writeAll(file, frame.bytes, from);
      continue;
    }
    const part = v.safeParse(partSchema, frame.message);
    if (!part.success || part.output.kind === "file") throw broken("a file without an end");
    if (part.output.kind === "zeroes") {
      take(part.output.bytes);
      hashZeroes(hash, part.output.bytes);
      continue;
    }
    if (at !== bytes) throw broken("a file that is shorter than it said");
    if (hash.digest("hex") !== part.output.sha256) throw broken("a file that is not what was sent");
    await file.truncate(bytes); // what ends in zeroes is not written
    return;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

function hashZeroes(hash: ReturnType<typeof createHash>, bytes: number): void {
  for (let left = bytes; left > 0; left -= blockBytes) {
    hash.update(zeroes.subarray(0, Math.min(left, blockBytes)));
  }
}

function broken(what: string): LuminaGuardError {
  return new LuminaGuardError("WIRE_BROKEN", `the other host sent ${what}`);
}

function tooMuch(what: string): LuminaGuardError {
  return new LuminaGuardError("WIRE_LIMIT", `the other host sent ${what}`);
}
