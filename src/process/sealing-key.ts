/**
 * A key of 32 bytes that files of this user are sealed with: in the operating system's keychain, or, where
 * that does not answer, in a file that only this user may read. Once something is sealed, its key is the
 * one it names: a keychain that is away for a moment makes no second key.
 */
import { createHash, randomBytes } from "node:crypto";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { errnoOf, toHostError } from "../base/host-error.ts";
import { LuminaGuardError } from "../errors.ts";
import type { Keychain } from "./keychain.ts";

export type KeyPlace = "keychain" | "file";

export interface SealingKey {
  readonly place: KeyPlace;
  /** 32 bytes */
  readonly bytes: Buffer;
}

export interface SealingKeyOptions {
  /** private folder of what is sealed; another folder's has a key of its own */
  readonly folder: string;
  /** of the key's file in that folder */
  readonly fileName: string;
  readonly keychain: Keychain | undefined;
  /** what is sealed, for a person */
  readonly what: string;
  /** what to do when others could read the key's file */
  readonly exposedHint: string;
  /** the error for a key that cannot be used */
  readonly unusable: (why: string) => LuminaGuardError;
}

/** The key of something that is sealed. Raises `unusable` when it is not there. */
export async function findSealingKey(
  place: KeyPlace,
  options: SealingKeyOptions,
): Promise<SealingKey> {
  const bytes = await readKey(place, options);
  if (bytes !== undefined) return { place, bytes };
  const where = place === "file" ? `file ${options.fileName}` : "keychain";
  throw options.unusable(`its key is not in the ${where}`);
}

/** The key for what is sealed first. Nobody else may do this at the same time. */
export async function makeSealingKey(options: SealingKeyOptions): Promise<SealingKey> {
  for (const place of ["keychain", "file"] as const) {
    const found = await readKey(place, options);
    if (found !== undefined) return { place, bytes: found };
  }
  const bytes = randomBytes(32);
  const { keychain } = options;
  if (keychain !== undefined && (await keychain.write(nameOf(options), bytes.toString("hex")))) {
    const kept = await readKey("keychain", options);
    if (kept?.equals(bytes) === true) return { place: "keychain", bytes };
  }
  await writeFileAtomic(pathOf(options), `${bytes.toString("hex")}\n`);
  return { place: "file", bytes };
}

async function readKey(place: KeyPlace, options: SealingKeyOptions): Promise<Buffer | undefined> {
  const text =
    place === "keychain"
      ? await options.keychain?.read(nameOf(options))
      : await readKeyFile(pathOf(options), options);
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, "hex");
  throw options.unusable(`what the ${place} holds is no key`);
}

async function readKeyFile(
  path: string,
  { what, exposedHint }: SealingKeyOptions,
): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    const isPrivate = process.platform === "win32" || (found.mode & 0o077) === 0;
    const isOurs = process.getuid === undefined || found.uid === process.getuid();
    if (found.isFile() && isOurs && isPrivate) return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toHostError(error, `the key of ${what} cannot be read`);
  }
  throw new LuminaGuardError("STORE_FAILED", `${path} is not a file of this user's alone`, {
    hint: `others may have read the key: ${exposedHint}, or chmod 600 ${path}`,
  });
}

function pathOf({ folder, fileName }: SealingKeyOptions): string {
  return join(folder, fileName);
}

function nameOf({ folder }: SealingKeyOptions): string {
  return createHash("sha256").update(folder).digest("hex").slice(0, 16);
}
