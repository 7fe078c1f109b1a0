/**
 * Who this host is to others that machines go to and come from: a key of its own, in a certificate that
 * nobody signed. What counts is the key: its fingerprint is the SHA-256 of its SubjectPublicKeyInfo (RFC 7469).
 */
import { createHash, webcrypto, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { makePrivateFolder } from "../../base/private-folder.ts";

export interface HostKey {
  readonly key: string;
  readonly cert: string;
  /** 64 hex digits */
  readonly fingerprint: string;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** nobody looks at it: the key is what is pinned */
const validYears = 100;
const name = "host-key.pem";

/** Made by the first call, 0600. Raises HOST_LIMIT. */
export async function openHostKey(stateDir: string): Promise<HostKey> {
  const folder = join(stateDir, "moves");
  const path = join(folder, name);
  const found = await readPem(path);
  if (found !== undefined) return found;
  await makePrivateFolder(folder);
  await writeFileAtomic(path, await makePem()).catch((error: unknown) => {
    throw toHostError(error, "this host's key cannot be kept");
  });
  const made = await readPem(path); // another process may have been first, or last
  if (made === undefined) throw new Error(`${path} was just written`);
  return made;
}

export function fingerprintOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("hex");
}

async function readPem(path: string): Promise<HostKey | undefined> {
  try {
    const text = await readFile(path, "utf8");
    const at = text.indexOf("-----BEGIN CERTIFICATE-----");
    const cert = text.slice(at);
    return { key: text.slice(0, at), cert, fingerprint: fingerprintOf(new X509Certificate(cert)) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toHostError(error, `${path} cannot be read as this host's key`);
  }
}

async function makePem(): Promise<string> {
  await import("reflect-metadata"); // the library below refuses to load without it
  const x509 = await import("@peculiar/x509");
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const notBefore = new Date(0);
  const notAfter = new Date();
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + validYears);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    { name: "CN=luminaguard", notBefore, notAfter, signingAlgorithm: algorithm, keys },
    webcrypto as Crypto,
  );
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return `${x509.PemConverter.encode(der, "PRIVATE KEY")}\n${certificate.toString("pem")}\n`;
}
