/**
 * What is kept of logins, and its form on disk: one JSON object, sealed with AES-256-GCM. The outer
 * part names the key and where it is kept, and is authenticated with the rest.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import type { webcrypto } from "node:crypto";
import type {
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
} from "@modelcontextprotocol/client";
import * as v from "valibot";
import { LuminaGuardError } from "../../../errors.ts";
import type { DatedTokens } from "./authorizing-provider.ts";

/** Tokens of one authorization server (RFC 6749, section 5.1), with whose they are and when they end. */
const tokens = v.looseObject({
  access_token: v.string(),
  token_type: v.string(),
  expires_in: v.optional(v.number()),
  scope: v.optional(v.string()),
  refresh_token: v.optional(v.string()),
  id_token: v.optional(v.string()),
  issuer: v.optional(v.string()),
  expires_at_ms: v.optional(v.number()),
  clock_skew_ms: v.optional(v.number()),
});
/** A registration with one authorization server (RFC 7591). */
const client = v.looseObject({
  client_id: v.string(),
  client_secret: v.optional(v.string()),
  issuer: v.optional(v.string()),
});
export interface Login {
  /** the authorization server of the latest login */
  readonly issuer?: string | undefined;
  /** by issuer: no secret of one authorization server is ever shown to another */
  readonly tokens: Readonly<Record<string, DatedTokens>>;
  readonly clients: Readonly<Record<string, StoredOAuthClientInformation>>;
  /** where the authorization server is, and what it can do */
  readonly discovery?: OAuthDiscoveryState | undefined;
  readonly dpop?: StoredDpopKey | undefined;
}

/** The key that tokens are bound to (RFC 9449). */
export interface StoredDpopKey {
  readonly thumbprint: string;
  readonly privateJwk: webcrypto.JsonWebKey;
  readonly publicJwk: webcrypto.JsonWebKey;
}

const jwk = v.looseObject({ kty: v.string() });
// what is the SDK's own is checked by it when it is used
const vault = v.strictObject({
  logins: v.record(
    v.string(),
    v.strictObject({
      issuer: v.optional(v.string()),
      tokens: v.record(v.string(), tokens),
      clients: v.record(v.string(), client),
      discovery: v.optional(v.looseObject({ authorizationServerUrl: v.string() })),
      dpop: v.optional(v.strictObject({ thumbprint: v.string(), privateJwk: jwk, publicJwk: jwk })),
    }),
  ),
}) as unknown as v.GenericSchema<unknown, Vault>;

export interface Vault {
  /** by the MCP server's URL */
  readonly logins: Readonly<Record<string, Login>>;
}

export const emptyLogin: Login = Object.freeze({ tokens: {}, clients: {} });

const keyPlaces = ["keychain", "file"] as const;
export type KeyPlace = (typeof keyPlaces)[number];

export interface VaultKey {
  readonly place: KeyPlace;
  /** 32 bytes */
  readonly bytes: Buffer;
}

/** as it is written: bits that a decoder leaves out are damage, too */
const base64 = v.pipe(
  v.string(),
  v.check((text) => Buffer.from(text, "base64").toString("base64") === text),
);
const envelope = v.strictObject({
  format: v.literal("luminaguard-logins-1"),
  key: v.strictObject({
    place: v.picklist(keyPlaces),
    id: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  }),
  nonce: v.pipe(base64, v.length(16)),
  tag: v.pipe(base64, v.length(24)),
  data: base64,
});
type Envelope = v.InferOutput<typeof envelope>;

export function sealVault(content: Vault, { place, bytes }: VaultKey): string {
  const nonce = randomBytes(12);
  const key: Envelope["key"] = { place, id: keyIdOf(bytes) };
  const cipher = createCipheriv("aes-256-gcm", bytes, nonce).setAAD(toAssociated(key));
  const data = Buffer.concat([cipher.update(JSON.stringify(content), "utf8"), cipher.final()]);
  const sealed: Envelope = {
    format: "luminaguard-logins-1",
    key,
    nonce: nonce.toString("base64"),
    tag: cipher.getAuthTag().toString("base64"),
    data: data.toString("base64"),
  };
  return `${JSON.stringify(sealed)}\n`;
}

/** Where the key of a sealed file is kept. Raises STORE_FAILED. */
export function keyPlaceOf(text: string): KeyPlace {
  return parseEnvelope(text).key.place;
}

/** Raises STORE_FAILED for another key, and for a file that is not what was written. */
export function openVault(text: string, { bytes }: VaultKey): Vault {
  const { key, nonce, tag, data } = parseEnvelope(text);
  if (key.id !== keyIdOf(bytes)) throw unusable("it was written with another key");
  let opened: unknown;
  try {
    const decipher = createDecipheriv("aes-256-gcm", bytes, Buffer.from(nonce, "base64"), {
      authTagLength: 16,
    });
    decipher.setAAD(toAssociated(key)).setAuthTag(Buffer.from(tag, "base64"));
    const bytesOfText = [decipher.update(Buffer.from(data, "base64")), decipher.final()];
    opened = JSON.parse(Buffer.concat(bytesOfText).toString("utf8"));
  } catch {
    // the reason may quote what was decrypted
    throw unusable("it is not what was written");
  }
  const result = v.safeParse(vault, opened);
  if (result.success) return result.output;
  throw unusable("it is of another version");
}

/** STORE_FAILED: nothing is written over a file that cannot be read. */
export function unusable(why: string): LuminaGuardError {
  return new LuminaGuardError("STORE_FAILED", `the file of MCP logins cannot be used: ${why}`, {
    hint: "put it and its key back from a backup, or move logins.sealed away and log in again",
  });
}

function parseEnvelope(text: string): Envelope {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unusable("it is not what was written");
  }
  const result = v.safeParse(envelope, json);
  if (!result.success) throw unusable("it is not what was written");
  return result.output;
}

function toAssociated(key: Envelope["key"]): Buffer {
  return Buffer.from(`luminaguard-logins-1 ${key.place} ${key.id}`);
}

function keyIdOf(bytes: Buffer): string {
  return createHash("sha256")
    .update("luminaguard-logins ")
    .update(bytes)
    .digest("hex")
    .slice(0, 16);
}
