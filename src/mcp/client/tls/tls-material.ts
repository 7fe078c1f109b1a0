/** Certificates and keys, from PEM text or from files that may be replaced while they are used. */
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, rootCertificates } from "node:tls";
import type { SecureContext } from "node:tls";
import { LuminaGuardError, messageOf } from "../../../errors.ts";
import type { TlsOptions } from "./tls-options.ts";

/** largest PEM file that is read, in `bytes` */
const fileBytesMax = 4 * 1024 * 1024;

const pemFields = ["ca", "cert", "key"] as const;

/** The context that every connection shares until a file changes. Raises MCP_TLS. */
export function readSecureContext(options: TlsOptions): SecureContext {
  const { ca, cert, key } = readPems(options);
  try {
    return createSecureContext({
      // naming a CA replaces the default roots, so those are named too
      ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
      minVersion: options.minVersion ?? "TLSv1.2",
    });
  } catch (error) {
    throw new LuminaGuardError("MCP_TLS", `tls: ${nameContextFault(error)}`, {
      hint: "check that ca, cert and key are PEM, belong together, and that the passphrase is the key's",
      cause: error,
    });
  }
}

/** Changes whenever one of the files does; a file that is away is a change, too. */
export function stampFiles(options: TlsOptions): string {
  return pemFields
    .flatMap((field) => {
      const value = options[field];
      if (value === undefined || isPem(value)) return [];
      const found = statSync(value, { throwIfNoEntry: false, bigint: true });
      return [found === undefined ? "-" : `${found.ino}:${found.size}:${found.mtimeNs}`];
    })
    .join("|");
}

function readPems(options: TlsOptions): Record<(typeof pemFields)[number], string | undefined> {
  return {
    ca: readPem("ca", options.ca),
    cert: readPem("cert", options.cert),
    key: readPem("key", options.key),
  };
}

function readPem(field: string, value: string | undefined): string | undefined {
  if (value === undefined || isPem(value)) return value;
  let text: string;
  try {
    if (statSync(value).size > fileBytesMax) throw new Error("the file is too large");
    text = readFileSync(value, "utf8");
  } catch (error) {
    throw new LuminaGuardError("MCP_TLS", `tls.${field} cannot be read: ${messageOf(error)}`, {
      hint: "check the path and who may read it",
      cause: error,
    });
  }
  if (isPem(text)) return text;
  throw new LuminaGuardError("MCP_TLS", `tls.${field}: ${value} is not PEM`, {
    hint: "PEM begins with -----BEGIN; convert DER with: openssl x509 -inform der",
  });
}

function isPem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

function nameContextFault(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH") return "the key is not the certificate's";
  if (/BAD_DECRYPT|PASSWORD|PASSPHRASE|CALLBACK/.test(code)) return "the key cannot be decrypted";
  return `certificate or key cannot be used (${code || messageOf(error)})`;
}
