/**
 * A machine in a file: what the sender says over a link, one frame after the other, and at the end the
 * SHA-256 of all of it. It cannot be taken before the token is in it, and that is the last that is written.
 */
import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { syncFolder } from "../../base/atomic-file.ts";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import { encodeBytesHead, encodeMessage, FrameReader } from "./frames.ts";
import type { FrameSink } from "./machine-files.ts";
import { senderSchema } from "./messages.ts";
import type { Hello } from "./messages.ts";

/** longest first message */
const helloBytesMax = 256 * 1024;

/** One that is written. */
export class MoveFile implements FrameSink {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** A new file, 0600. Raises USAGE where there is one, HOST_LIMIT. */
  static async create(path: string): Promise<MoveFile> {
    try {
      return new MoveFile(path, await open(path, "wx", 0o600));
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw toHostError(error, `${path} cannot be made`);
      throw new LuminaGuardError("USAGE", `${path} is there already`, {
        hint: "name a file that is not there yet",
      });
    }
  }

  /** written so far */
  get bytes(): number {
    return this.#bytes;
  }

  async send(message: unknown): Promise<void> {
    await this.#write(encodeMessage(message));
  }

  async sendPart(bytes: Buffer): Promise<void> {
    await this.#write(encodeBytesHead(bytes.length));
    await this.#write(bytes);
  }

  /** What was written is on the disk when this resolves. Raises HOST_LIMIT. */
  async sync(): Promise<void> {
    try {
      await this.#file.sync();
      await syncFolder(dirname(this.#path));
    } catch (error) {
      throw cannotWrite(error);
    }
  }

  /** Says who wrote it and that this is all. From here on it can be taken, once the disk has it. */
  async finish(id: string, token: string): Promise<void> {
    await this.send({ kind: "commit", id, token });
    await this.#write(encodeWhole(this.#hash.copy().digest("hex")));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Nothing of it stays, whatever could be written. */
  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    await this.#file.writeFile(bytes).catch((error: unknown) => {
      throw cannotWrite(error);
    });
  }
}

/** One that is whole: every byte of it is what was written. */
export interface FoundMoveFile {
  readonly hello: Hello;
  /** what the sender said, without the digest at the end, in `bytes` */
  readonly length: number;
}

/** Raises SNAPSHOT_INVALID where it is none, of another version, cut short, or changed. */
export async function inspectMoveFile(path: string, signal?: AbortSignal): Promise<FoundMoveFile> {
  const file = await openPlain(path);
  try {
    const hello = await readHello(path, file);
    const { size } = await file.stat();
    const length = size - encodeWhole("0".repeat(64)).length;
    const hash = createHash("sha256");
    for await (const chunk of readRange(file, 0, length, signal)) hash.update(chunk);
    const whole = encodeWhole(hash.digest("hex"));
    const found = Buffer.alloc(whole.length);
    await file.read(found, 0, whole.length, Math.max(length, 0));
    if (!found.equals(whole)) {
      throw invalid(path, "was cut short, or changed", {
        hint: "where it came from: luminaguard vm migrate NAME --resolve --here  (or --there, which ends a file that was not finished)",
      });
    }
    return { hello, length };
  } finally {
    await file.close();
  }
}

/** What the sender said in a file that was inspected. */
export function readMoveFile(path: string, { length }: FoundMoveFile): AsyncIterable<Buffer> {
  return createReadStream(path, { end: length - 1, highWaterMark: 1024 * 1024 });
}

/** Whether it is the file of that move, whole or not. */
export async function isMoveFileOf(path: string, id: string): Promise<boolean> {
  try {
    const file = await openPlain(path);
    try {
      return (await readHello(path, file)).id === id;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

/**
 * Ends a file whose writer was killed when it had given the machine up. One that is ended stays as it is.
 * Raises SNAPSHOT_INVALID where all of the machine is not in it.
 */
export async function finishMoveFile(path: string, id: string, token: string): Promise<void> {
  const whole = await inspectMoveFile(path).catch(() => undefined);
  if (whole?.hello.id === id) return;
  const file = await openPlain(path, constants.O_RDWR);
  try {
    const hello = await readHello(path, file);
    if (hello.id !== id) throw invalid(path, "has another machine in it");
    const length = await findEnd(file);
    if (length === undefined) throw invalid(path, "has not all of the machine in it");
    await file.truncate(length);
    const hash = createHash("sha256");
    for await (const chunk of readRange(file, 0, length)) hash.update(chunk);
    const commit = encodeMessage({ kind: "commit", id, token });
    const sha256 = hash.update(commit).digest("hex");
    const rest = Buffer.concat([commit, encodeWhole(sha256)]);
    await file.write(rest, 0, rest.length, length);
    await file.sync();
  } catch (error) {
    throw toHostError(error, `${path} cannot be ended`);
  } finally {
    await file.close();
  }
}

/** Where the message "end" ends, the last before the token; undefined: there is none. */
async function findEnd(file: FileHandle): Promise<number | undefined> {
  const { size } = await file.stat();
  const head = Buffer.alloc(5);
  for (let at = 0; at + head.length <= size;) {
    await file.read(head, 0, head.length, at);
    const [isMessage, length] = [head.readUInt8(0) === 1, head.readUInt32BE(1)];
    const end = at + head.length + length;
    if (end > size) return undefined;
    if (isMessage && length < 256) {
      const text = Buffer.alloc(length);
      await file.read(text, 0, length, at + head.length);
      if (text.toString("utf8").startsWith('{"kind":"end"')) return end;
    }
    at = end;
  }
  return undefined;
}

function encodeWhole(sha256: string): Buffer {
  return encodeMessage({ kind: "whole", sha256 });
}

async function openPlain(path: string, flags: number = constants.O_RDONLY): Promise<FileHandle> {
  // a pipe would keep whoever opens it waiting
  const file = await open(path, flags | constants.O_NONBLOCK).catch((error: unknown) => {
    throw toHostError(error, `${path} cannot be read`);
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new LuminaGuardError("USAGE", `${path} is no file`);
}

async function readHello(path: string, file: FileHandle): Promise<Hello> {
  const bytes = Buffer.alloc(helloBytesMax);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  let first: unknown;
  try {
    const end = 5 + bytes.readUInt32BE(1); // what follows may be longer than this
    const [frame] = new FrameReader(helloBytesMax).push(
      bytes.subarray(0, Math.min(bytesRead, end)),
    );
    if (frame?.kind === "message") first = frame.message;
  } catch {
    // frames of something else
  }
  const said = v.safeParse(senderSchema, first);
  if (said.success && said.output.kind === "hello" && said.output.form === "files") {
    return said.output;
  }
  const other = v.safeParse(v.object({ kind: v.literal("hello"), version: v.number() }), first);
  throw invalid(
    path,
    other.success && other.output.version !== 1
      ? `is of version ${other.output.version}, which this LuminaGuard does not read`
      : "has no machine in it",
  );
}

async function* readRange(
  file: FileHandle,
  from: number,
  to: number,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const block = Buffer.alloc(1024 * 1024);
  for (let at = from; at < to;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, to - at), at);
    if (bytesRead === 0) return;
    yield block.subarray(0, bytesRead);
    at += bytesRead;
  }
}

function cannotWrite(error: unknown): unknown {
  return toHostError(error, "the machine cannot be written into the file");
}

function invalid(
  path: string,
  why: string,
  options: { readonly hint?: string } = {},
): LuminaGuardError {
  return new LuminaGuardError("SNAPSHOT_INVALID", `${path} ${why}`, options);
}
