/**
 * The key that logins are sealed with: in the operating system's keychain, or, where that does not
 * answer, in a file that only this user may read. Once a file is sealed, its key is the one it names:
 * a keychain that is away for a moment makes no second key.
 */
import { createHash, randomBytes } from "node:crypto";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../../base/atomic-file.ts";
import { errnoOf, toHostError } from "../../../base/host-error.ts";
import { LuminaGuardError } from "../../../errors.ts";
import type { Keychain } from "./keychain.ts";
import { unusable } from "./vault.ts";
import type { KeyPlace, VaultKey } from "./vault.ts";

export interface VaultKeyOptions {
  /** private folder of the logins */
  readonly folder: string;
  readonly keychain: Keychain | undefined;
}

/** The key of a sealed file. Raises STORE_FAILED when it is not there. */
export async function findVaultKey(place: KeyPlace, options: VaultKeyOptions): Promise<VaultKey> {
  const bytes = await readKey(place, options);
  if (bytes !== undefined) return { place, bytes };
  throw unusable(`its key is not in the ${place === "file" ? "file logins.key" : "keychain"}`);
}

/** The key for the first sealed file. Nobody else may do this at the same time. */
export async function makeVaultKey(options: VaultKeyOptions): Promise<VaultKey> {
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

async function readKey(place: KeyPlace, options: VaultKeyOptions): Promise<Buffer | undefined> {
  const text =
    place === "keychain"
      ? await options.keychain?.read(nameOf(options))
      : await readKeyFile(pathOf(options));
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, "hex");
  throw unusable(`what the ${place} holds is no key`);
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    const isPrivate = process.platform === "win32" || (found.mode & 0o077) === 0;
    const isOurs = process.getuid === undefined || found.uid === process.getuid();
    if (found.isFile() && isOurs && isPrivate) return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toHostError(error, "the key of the MCP logins cannot be read");
  }
  throw new LuminaGuardError("STORE_FAILED", `${path} is not a file of this user's alone`, {
    hint: `others may have read the key: log out of every MCP server, or chmod 600 ${path}`,
  });
}

function pathOf({ folder }: VaultKeyOptions): string {
  return join(folder, "logins.key");
}

/** Logins of another folder have a key of their own. */
function nameOf({ folder }: VaultKeyOptions): string {
  return createHash("sha256").update(folder).digest("hex").slice(0, 16);
}
