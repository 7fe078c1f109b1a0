/**
 * A file encrypted with AES-256-GCM in chunks of 1 MiB, each for its place: none can be changed, left out,
 * moved, or taken from another file or snapshot. A chunk of zeroes is told and not stored.
 *
 *   chunk   kind (1) · length (4, big endian) · tag (16) · ciphertext
 */
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { LuminaGuardError } from "../../errors.ts";

const chunkBytes = 1024 * 1024;
const headerBytes = 5;
const tagBytes = 16;
const kinds = { data: 0, zeroes: 1, end: 2 } as const;
const zeroes = Buffer.alloc(chunkBytes);

/** The key of one file of one snapshot. */
export function deriveFileKey(key: Buffer, salt: string, fileName: string): Buffer {
  const info = `luminaguard snapshot 1 ${fileName}`;
  return Buffer.from(hkdfSync("sha256", key, Buffer.from(salt, "hex"), info, 32));
}

/** @param key of this file alone: a nonce is a chunk's number */
export async function sealFile(from: string, to: string, key: Buffer): Promise<void> {
  await using source = await openFile(from, "r");
  await using target = await openFile(to, "wx");
  const plain = Buffer.alloc(chunkBytes);
  for (let number = 0; ; number += 1) {
    const { bytesRead } = await source.file.read(plain, 0, chunkBytes, null);
    const chunk = plain.subarray(0, bytesRead);
    const isZero = bytesRead > 0 && chunk.equals(zeroes.subarray(0, bytesRead));
    const kind = bytesRead === 0 ? kinds.end : isZero ? kinds.zeroes : kinds.data;
    const header = writeHeader(kind, bytesRead);
    const cipher = createCipheriv("aes-256-gcm", key, nonceOf(number)).setAAD(header);
    const data = cipher.update(kind === kinds.data ? chunk : Buffer.alloc(0));
    cipher.final();
    await target.file.write(Buffer.concat([header, cipher.getAuthTag(), data]));
    if (kind === kinds.end) return;
  }
}

/** Raises SNAPSHOT_INVALID when the bytes are not what was sealed with this key, with nothing left at `to`. */
export async function unsealFile(from: string, to: string, key: Buffer): Promise<void> {
  await using source = await openFile(from, "r");
  await using target = await openFile(to, "wx");
  let bytes = 0;
  for (let number = 0; ; number += 1) {
    const head = await readExactly(source.file, headerBytes + tagBytes);
    const header = head.subarray(0, headerBytes);
    const [kind, length] = [header.readUInt8(0), header.readUInt32BE(1)];
    if (length > chunkBytes) throw broken();
    const data = kind === kinds.data ? await readExactly(source.file, length) : Buffer.alloc(0);
    const plain = decrypt(key, number, { header, tag: head.subarray(headerBytes), data });
    if (kind === kinds.end) break;
    if (kind === kinds.data) await target.file.write(plain, 0, length, bytes);
    bytes += length;
  }
  await target.file.truncate(bytes); // what ends in zeroes is not written
}

interface Chunk {
  readonly header: Buffer;
  readonly tag: Buffer;
  readonly data: Buffer;
}

function decrypt(key: Buffer, number: number, { header, tag, data }: Chunk): Buffer {
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(number), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(header).setAuthTag(tag);
    return Buffer.concat([decipher.update(data), decipher.final()]);
  } catch {
    throw broken();
  }
}

function writeHeader(kind: number, length: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(length, 1);
  return header;
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 8);
  return nonce;
}

async function readExactly(file: FileHandle, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, null);
    if (bytesRead === 0) throw broken();
    filled += bytesRead;
  }
  return buffer;
}

function broken(): LuminaGuardError {
  return new LuminaGuardError(
    "SNAPSHOT_INVALID",
    "a sealed file is not what was sealed, or has another key",
  );
}

async function openFile(
  path: string,
  flags: "r" | "wx",
): Promise<AsyncDisposable & { readonly file: FileHandle }> {
  const file = await open(path, flags, 0o600);
  return { file, [Symbol.asyncDispose]: () => file.close() };
}
