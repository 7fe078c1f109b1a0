/** Certificates made for one test: an authority and what it signs. */
import "reflect-metadata"; // the library below refuses to load without it
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** common name @default "test" */
  readonly name?: string;
  /** names it is for; a name of digits and dots is an address @default 127.0.0.1 and localhost */
  readonly hosts?: readonly string[];
  /** days from now @default -1 */
  readonly fromDays?: number;
  /** days from now @default 1 */
  readonly toDays?: number;
}

export interface Authority extends Pair {
  readonly issue: (options?: CertificateOptions) => Promise<Pair>;
}

export async function createAuthority(name = "test authority"): Promise<Authority> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    ...validity({}),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    cert: certificate.toString("pem"),
    key: await exportKey(keys),
    issue: (options = {}) => issue(certificate, keys, options),
  };
}

async function issue(
  authority: x509.X509Certificate,
  authorityKeys: webcrypto.CryptoKeyPair,
  options: CertificateOptions,
): Promise<Pair> {
  const keys = await makeKeys();
  const hosts = options.hosts ?? ["127.0.0.1", "localhost"];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${options.name ?? "test"}`,
    issuer: authority.subject,
    ...validity(options),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({
          type: /^[\d.]+$/.test(value) ? ("ip" as const) : ("dns" as const),
          value,
        })),
      ),
    ],
  });
  return { cert: certificate.toString("pem"), key: await exportKey(keys) };
}

function validity(options: CertificateOptions): { notBefore: Date; notAfter: Date } {
  const day = 24 * 60 * 60 * 1000;
  return {
    notBefore: new Date(Date.now() + (options.fromDays ?? -1) * day),
    notAfter: new Date(Date.now() + (options.toDays ?? 1) * day),
  };
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function exportKey(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return x509.PemConverter.encode(der, "PRIVATE KEY");
}
