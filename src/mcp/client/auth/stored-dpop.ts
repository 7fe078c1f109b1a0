/** The key that access tokens are bound to (RFC 9449), kept with the login: a refresh needs it, too. */
import { webcrypto } from "node:crypto";
import { DpopSession, generateDpopKeyPair } from "@modelcontextprotocol/client";
import type { DpopKeyPair } from "@modelcontextprotocol/client";
import type { StoredDpopKey } from "./vault.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256" };

/** ES256, which every server that knows DPoP accepts. */
export async function makeDpopKey(): Promise<StoredDpopKey> {
  const pair = await generateDpopKeyPair({ alg: "ES256", extractable: true });
  const [privateJwk, publicJwk] = await Promise.all([
    webcrypto.subtle.exportKey("jwk", pair.privateKey),
    webcrypto.subtle.exportKey("jwk", pair.publicKey),
  ]);
  return { thumbprint: pair.thumbprint, privateJwk, publicJwk };
}

/** The private half can be used from here on, and not read. */
export async function openDpopSession(key: StoredDpopKey): Promise<DpopSession> {
  const { privateJwk, publicJwk, thumbprint } = key;
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey("jwk", privateJwk, algorithm, false, ["sign"]),
    webcrypto.subtle.importKey("jwk", publicJwk, algorithm, true, ["verify"]),
  ]);
  // what a proof shows of the key: its members and no more (RFC 7638, section 3.2)
  const shown = { kty: publicJwk.kty, crv: publicJwk.crv, x: publicJwk.x, y: publicJwk.y };
  return DpopSession.create({
    keyPair: {
      privateKey,
      publicKey,
      publicJwk: shown as DpopKeyPair["publicJwk"],
      thumbprint,
      alg: "ES256",
    },
  });
}
