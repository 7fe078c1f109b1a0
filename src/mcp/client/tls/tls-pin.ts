/** Pins: which public keys a server may have, besides being trusted. */
import { createHash, X509Certificate } from "node:crypto";
import { checkServerIdentity } from "node:tls";
import type { ConnectionOptions, PeerCertificate } from "node:tls";

/** `code` of the error when no pin matches */
export const pinMismatchCode = "ERR_TLS_PIN_MISMATCH";

/** SHA-256 of the certificate's SubjectPublicKeyInfo, base64 (RFC 7469, section 2.4). */
export function pinOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64");
}

/**
 * Node calls it when the chain was verified: the name is checked as ever, and only then the pin. The
 * server's own certificate is what is pinned; what else it sends along proves nothing.
 */
export function createPinCheck(
  pins: readonly string[],
): NonNullable<ConnectionOptions["checkServerIdentity"]> {
  return (host: string, peer: PeerCertificate): Error | undefined => {
    const wrongName = checkServerIdentity(host, peer);
    if (wrongName !== undefined) return wrongName;
    const pin = pinOf(new X509Certificate(peer.raw));
    if (pins.includes(pin)) return undefined;
    const error = new Error(`the public key of ${host} is ${pin}, which is not pinned`);
    return Object.assign(error, { code: pinMismatchCode });
  };
}
