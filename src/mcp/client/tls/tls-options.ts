/** What a person may say about TLS to an MCP server. Whether certificates are verified is not among it. */
import * as v from "valibot";
import { LuminaGuardError } from "../../../errors.ts";

/** a text in PEM, or the path of a file that holds one */
const pem = v.pipe(v.string(), v.nonEmpty());

export interface TlsOptions {
  /** certificate authorities to trust besides the system's */
  readonly ca?: string | undefined;
  /** client certificate, with its chain (mutual TLS) */
  readonly cert?: string | undefined;
  /** private key of the client certificate */
  readonly key?: string | undefined;
  /** opens an encrypted key */
  readonly passphrase?: string | undefined;
  /** name that the server's certificate must have, and that is asked for (SNI)
   * @default the host of the address */
  readonly servername?: string | undefined;
  /** SHA-256 of the public key (SubjectPublicKeyInfo) of the server's certificate, base64; one must match */
  readonly pins?: readonly string[] | undefined;
  /** @default "TLSv1.2" */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
}

const schema: v.GenericSchema<unknown, TlsOptions> = v.pipe(
  v.strictObject({
    ca: v.optional(pem),
    cert: v.optional(pem),
    key: v.optional(pem),
    passphrase: v.optional(v.string()),
    servername: v.optional(v.pipe(v.string(), v.nonEmpty())),
    pins: v.optional(
      v.pipe(v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{43}=$/))), v.minLength(1)),
    ),
    minVersion: v.optional(v.picklist(["TLSv1.2", "TLSv1.3"])),
  }),
  v.check((options) => (options.cert === undefined) === (options.key === undefined)),
);

const hints: Readonly<Record<string, string>> = {
  pins: "a pin is the base64 of a SHA-256: 44 characters that end in =",
  minVersion: 'TLS begins at "TLSv1.2"; "TLSv1.3" is stricter',
};

/** Raises CONFIG_INVALID; what was given is not repeated, it may be a key. */
export function parseTlsOptions(value: unknown): TlsOptions {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const key = v.getDotPath(result.issues[0]) ?? "";
  const name = key.split(".")[0] ?? "";
  throw new LuminaGuardError("CONFIG_INVALID", `tls${key && `.${key}`} is not understood`, {
    hint:
      hints[name] ??
      "known are ca, cert, key, passphrase, servername, pins and minVersion; cert and key go together",
  });
}
