/** What a person may say about logging in to an MCP server. */
import * as v from "valibot";
import { LuminaGuardError } from "../../../errors.ts";

/** How tokens are had: by a person (`browser`, `device`), or by what a program has. */
export type OAuthFlow = "browser" | "device" | "client-credentials" | "private-key-jwt" | "id-jag";

export interface OAuthOptions {
  readonly kind: "oauth";
  /** @default "browser" */
  readonly flow: OAuthFlow;
  /** given by the authorization server's operator; without it a client is registered where that can be */
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  /** https address of a document that describes this client (CIMD); used as its id where servers can */
  readonly clientMetadataUrl?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  /** the only authorization server that secrets are sent to; must be said where there are some */
  readonly expectedIssuer?: string | undefined;
  /** binds tokens to a key (RFC 9449) @default false */
  readonly dpop?: boolean | undefined;
  /** fixed port of the login's callback, for authorization servers that compare it @default any */
  readonly redirectPort?: number | undefined;
  /** private-key-jwt: PEM (PKCS#8) */
  readonly privateKey?: string | undefined;
  /** private-key-jwt @default "ES256" */
  readonly algorithm?: string | undefined;
  /** id-jag: whoever vouches for the person */
  readonly identityProvider?: IdentityProvider | undefined;
  /** id-jag: a grant that is there already, such as a workload's token (RFC 7523) */
  readonly assertion?: string | undefined;
}

/** Where an ID token is exchanged for a grant (RFC 8693). */
export interface IdentityProvider {
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly idToken: string;
}

const text = v.pipe(v.string(), v.nonEmpty());
const https = v.pipe(v.string(), v.url());
const isSecretOf: Readonly<Record<OAuthFlow, readonly (keyof OAuthOptions)[]>> = {
  browser: [],
  device: [],
  "client-credentials": ["clientId", "clientSecret", "expectedIssuer"],
  "private-key-jwt": ["clientId", "privateKey", "expectedIssuer"],
  "id-jag": ["clientId", "expectedIssuer"],
};

const schema: v.GenericSchema<unknown, OAuthOptions> = v.strictObject({
  kind: v.literal("oauth"),
  flow: v.optional(
    v.picklist(["browser", "device", "client-credentials", "private-key-jwt", "id-jag"]),
    "browser",
  ),
  clientId: v.optional(text),
  clientSecret: v.optional(text),
  clientMetadataUrl: v.optional(v.pipe(https, v.startsWith("https://"))),
  scopes: v.optional(v.array(v.pipe(v.string(), v.regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/)))), // RFC 6749, section 3.3
  expectedIssuer: v.optional(https),
  dpop: v.optional(v.boolean()),
  redirectPort: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1024), v.maxValue(65535))),
  privateKey: v.optional(text),
  algorithm: v.optional(text),
  identityProvider: v.optional(
    v.strictObject({
      tokenEndpoint: https,
      clientId: text,
      clientSecret: v.optional(text),
      idToken: text,
    }),
  ),
  assertion: v.optional(text),
});

/** Raises CONFIG_INVALID; what was given is not repeated, it may be a secret. */
export function parseOAuthOptions(value: unknown): OAuthOptions {
  const result = v.safeParse(schema, value);
  if (!result.success) {
    const path = v.getDotPath(result.issues[0]);
    throw invalid(`auth${path === null ? "" : `.${path}`} is not understood`);
  }
  const options = result.output;
  const needed = [...isSecretOf[options.flow]];
  if (options.clientSecret !== undefined) needed.push("clientId", "expectedIssuer");
  const missing = needed.find((name) => options[name] === undefined);
  if (missing !== undefined) throw invalid(`auth.${missing} is needed here`);
  const grants = [options.identityProvider, options.assertion].filter((each) => each !== undefined);
  if (options.flow === "id-jag" && grants.length !== 1) {
    throw invalid("auth needs either identityProvider or assertion");
  }
  return Object.freeze(options);
}

function invalid(message: string): LuminaGuardError {
  return new LuminaGuardError("CONFIG_INVALID", message, {
    hint: "docs/mcp.md lists what each flow needs; expectedIssuer says whom secrets are sent to",
  });
}
