/** Why there is no trusted connection, in words a person can act on. */
import type { Socket } from "node:net";
import { LuminaGuardError } from "../../../errors.ts";
import { pinMismatchCode } from "./tls-pin.ts";

interface TlsCause {
  readonly pattern: RegExp;
  readonly what: string;
  readonly hint: string;
}

/** By the codes of Node and OpenSSL; the first that matches counts. */
const causes: readonly TlsCause[] = [
  {
    pattern: new RegExp(`^${pinMismatchCode}$`),
    what: "the server's public key is not pinned",
    hint: "if the server changed its key, add the new one to tls.pins; if not, somebody may be in between",
  },
  {
    pattern: /^CERT_HAS_EXPIRED$/,
    what: "the server's certificate has expired",
    hint: "the server's operator must renew it; check this host's clock, too",
  },
  {
    pattern: /^CERT_NOT_YET_VALID$/,
    what: "the server's certificate is not valid yet",
    hint: "check this host's clock",
  },
  {
    pattern: /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME_FORMAT)$/,
    what: "the server's certificate is for another name",
    hint: "check the address, or set tls.servername to the name in the certificate",
  },
  {
    pattern:
      /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|INVALID_CA|CERT_UNTRUSTED|CERT_CHAIN_TOO_LONG)$/,
    what: "the server's certificate is from an unknown authority",
    hint: "set tls.ca to the certificate of the authority that signed it",
  },
  {
    pattern: /^CERT_|_CERT_REVOKED$/,
    what: "the server's certificate is not accepted",
    hint: "the server's operator must replace it",
  },
  {
    pattern: /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE|INAPPROPRIATE_FALLBACK/,
    what: "the two sides have no TLS version in common",
    hint: "the server must speak TLS 1.2 or later; tls.minVersion may ask for more than it has",
  },
  {
    pattern: /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/,
    what: "the server wants a client certificate",
    hint: "set tls.cert and tls.key to a certificate that the server's authority issued",
  },
  {
    pattern:
      /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)/,
    what: "the server does not accept the client certificate",
    hint: "check that tls.cert is current and from the authority the server trusts",
  },
  {
    pattern: /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/,
    what: "the server does not speak TLS there",
    hint: "check the port, and whether the address begins with http:",
  },
  {
    pattern: /^(ERR_SSL_|ERR_TLS_|EPROTO$)/,
    what: "the TLS handshake failed",
    hint: "check the certificates of both sides",
  },
];

/** how far causes are followed */
const depthMax = 5;

/**
 * MCP_TLS for what a connection raised, `undefined` when TLS was not the reason. No request was
 * carried out: a server that refuses a certificate late drops what came with it.
 * @param endpoint as it stands in the message; no credentials
 */
export function toTlsError(error: unknown, endpoint: string): LuminaGuardError | undefined {
  const code = findTlsCode(error);
  const found = causes.find(({ pattern }) => pattern.test(code));
  if (found === undefined) return undefined;
  return new LuminaGuardError("MCP_TLS", `${endpoint}: ${found.what}`, {
    hint: found.hint,
    details: { endpoint, reason: code, delivery: "never" },
    cause: error,
  });
}

function findTlsCode(error: unknown): string {
  let each = error;
  for (let depth = 0; each instanceof Error && depth < depthMax; depth += 1) {
    const { code } = each as NodeJS.ErrnoException;
    if (typeof code === "string" && causes.some(({ pattern }) => pattern.test(code))) return code;
    each = each instanceof AggregateError ? (each.errors[0] as unknown) : each.cause;
  }
  return "";
}

/**
 * Ends the socket with the alert that the server sends. In TLS 1.3 a server refuses a client
 * certificate after the handshake, and undici reports what follows, "other side closed", in its place.
 */
export function endWithAlert(socket: Socket): void {
  socket.prependOnceListener("error", (error) => {
    if (findTlsCode(error) !== "") socket.destroy(error);
  });
}
