/**
 * This user's own key: it signs decisions and the audit's checkpoints. Made on first use, in a file
 * that nobody else may read. Ed25519 by Node's own crypto.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { link, lstat, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../base/atomic-file.ts";
import { errnoOf, toHostError } from "../base/host-error.ts";
import { LuminaGuardError } from "../errors.ts";

/** The public half: whoever has it can check what was signed. */
export interface VerifyingKey {
  /** names the key: the first half of the SHA-256 of its public half, in hexadecimal */
  readonly id: string;
  /** SubjectPublicKeyInfo, base64 */
  readonly publicKey: string;
  /** Whether the signature, in base64, is this key's for the text. */
  readonly verify: (text: string, signature: string) => boolean;
}

export interface LocalKey extends VerifyingKey {
  /** Ed25519, base64 */
  readonly sign: (text: string) => string;
}

/** The key of that file, which is made when it is missing. Raises STORE_FAILED or HOST_LIMIT. */
export async function openLocalKey(path: string): Promise<LocalKey> {
  const pem = (await readKeyFile(path)) ?? (await makeKeyFile(path));
  const privateKey = parseKey(path, () => createPrivateKey(pem));
  const publicKey = createPublicKey(privateKey);
  return Object.freeze({
    ...toVerifyingKey(publicKey),
    sign: (text: string) => sign(null, Buffer.from(text, "utf8"), privateKey).toString("base64"),
  });
}

/** A key from its public half in base64; `undefined` when it is none. */
export function parsePublicKey(text: string): VerifyingKey | undefined {
  try {
    const der = Buffer.from(text, "base64");
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    return key.asymmetricKeyType === "ed25519" ? toVerifyingKey(key) : undefined;
  } catch {
    return undefined; // no key at all
  }
}

function toVerifyingKey(key: KeyObject): VerifyingKey {
  const der = key.export({ format: "der", type: "spki" });
  return {
    id: createHash("sha256").update(der).digest("hex").slice(0, 32),
    publicKey: der.toString("base64"),
    verify: (text, signature) =>
      verify(null, Buffer.from(text, "utf8"), key, Buffer.from(signature, "base64")),
  };
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    const isOurs = process.getuid === undefined || found.uid === process.getuid();
    const isPrivate = process.platform === "win32" || (found.mode & 0o077) === 0;
    if (!found.isFile() || !isOurs || !isPrivate) {
      throw new LuminaGuardError("STORE_FAILED", `${path} is not a file of this user's alone`, {
        hint: `others may have read the key: remove it to get a new one, or chmod 600 ${path}`,
      });
    }
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toHostError(error, "the signing key cannot be read");
  }
}

/** The file appears whole or not at all, and of two processes that make one the first one's counts. */
async function makeKeyFile(path: string): Promise<string> {
  const beside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const { privateKey } = generateKeyPairSync("ed25519");
    const file = await open(beside, "wx", 0o600);
    try {
      await file.writeFile(privateKey.export({ format: "pem", type: "pkcs8" }));
      await file.sync();
    } finally {
      await file.close();
    }
    await link(beside, path).catch((error: unknown) => {
      if (errnoOf(error) !== "EEXIST") throw error;
    });
    await syncFolder(dirname(path));
    return await readFile(path, "utf8");
  } catch (error) {
    throw toHostError(error, "the signing key cannot be made");
  } finally {
    await rm(beside, { force: true });
  }
}

function parseKey(path: string, parse: () => KeyObject): KeyObject {
  try {
    const key = parse();
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // the reason may quote the file: what it holds is nobody's business
  }
  throw new LuminaGuardError("STORE_FAILED", `${path} holds no signing key`, {
    hint: "put the key back, or remove the file to get a new one",
  });
}
