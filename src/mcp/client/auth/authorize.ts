/**
 * One run of the SDK's `auth()`: discovery, registration, PKCE, refresh and token requests are its
 * work. Added here: tokens know when they end, nobody is asked to log in because an authorization
 * server was away for a moment, and what goes wrong can be acted on.
 */
import { auth } from "@modelcontextprotocol/client";
import type {
  AuthOptions,
  AuthResult,
  FetchLike,
  OAuthClientProvider,
} from "@modelcontextprotocol/client";
import type { Clock } from "../../../base/clock.ts";
import { createLoginRequired, createUnavailable, toAuthError } from "./auth-error.ts";
import { dateTokens } from "./authorizing-provider.ts";
import type { AuthorizingProvider, DatedTokens } from "./authorizing-provider.ts";
import { createGuardedFetch } from "./guarded-fetch.ts";
import type { GuardedFetch } from "./guarded-fetch.ts";

export interface AuthorizeOptions {
  readonly serverUrl: URL;
  /** as a person names it on the command line */
  readonly serverName: string;
  /** a whole WHATWG fetch: `auth()` reads more of a response than the transport does */
  readonly realFetch: FetchLike;
  /** `ms` since 1970 */
  readonly clock: Clock;
  readonly scope?: string | undefined;
  readonly resourceMetadataUrl?: URL | undefined;
  /** asks for a new grant instead of refreshing, which cannot widen one (RFC 6749, section 6) */
  readonly forceReauthorization?: boolean;
  /** asked when no other process can change the login any more; no: there is nothing to do */
  readonly isNeeded?: () => Promise<boolean>;
}

/**
 * Gets tokens, by whatever the provider's grant is, and saves them with the provider. Raises
 * MCP_AUTH_REQUIRED when a person must log in and nobody is there, MCP_TRANSIENT when the
 * authorization server is away, MCP_PROTOCOL when it cannot be trusted or understood.
 */
export async function authorize(
  provider: AuthorizingProvider,
  options: AuthorizeOptions,
): Promise<void> {
  const guarded = createGuardedFetch(options.realFetch, options.serverUrl);
  const engine = withDates(provider, guarded, options);
  const request = toRequest(options, guarded.fetch);
  const run = async (
    more: Partial<AuthOptions>,
    isNeeded?: () => Promise<boolean>,
  ): Promise<AuthResult> => {
    const work = async (): Promise<AuthResult> => {
      if ((await isNeeded?.()) === false) return "AUTHORIZED";
      return auth(engine, { ...request, ...more });
    };
    try {
      return await (provider.exclusively === undefined ? work() : provider.exclusively(work));
    } catch (error) {
      throw toAuthError(error, options.serverName);
    }
  };
  if ((await run({}, options.isNeeded)) === "AUTHORIZED") return;
  // a person may take minutes: nothing is held meanwhile
  const response = await provider.authorizationResponse?.();
  if (response === undefined) throw new Error("a redirect is for a person who is there");
  const { code, iss } = response;
  await run({ authorizationCode: code, ...(iss !== undefined && { iss }) });
}

function toRequest(options: AuthorizeOptions, fetchFn: FetchLike): AuthOptions {
  const { serverUrl, scope, resourceMetadataUrl, forceReauthorization } = options;
  return {
    serverUrl,
    fetchFn,
    ...(scope !== undefined && { scope }),
    ...(resourceMetadataUrl !== undefined && { resourceMetadataUrl }),
    ...(forceReauthorization !== undefined && { forceReauthorization }),
  };
}

/** The provider as it is, but for saving tokens and for asking the person. */
function withDates(
  provider: AuthorizingProvider,
  guarded: GuardedFetch,
  { clock, serverName }: AuthorizeOptions,
): OAuthClientProvider {
  const saveTokens: OAuthClientProvider["saveTokens"] = (tokens: DatedTokens, context) =>
    provider.saveTokens(dateTokens(tokens, clock.now(), guarded.lastAnswer().dateMs), context);
  const redirectToAuthorization: OAuthClientProvider["redirectToAuthorization"] = (url) => {
    const { failure } = guarded.lastAnswer();
    // the SDK asks for a login when a refresh failed for any reason
    if (failure !== undefined) throw createUnavailable(serverName, failure);
    if (provider.authorizationResponse === undefined) {
      throw createLoginRequired(serverName, "needs a new login");
    }
    return provider.redirectToAuthorization(url);
  };
  const own: Readonly<Record<string | symbol, unknown>> = { saveTokens, redirectToAuthorization };
  return new Proxy(provider, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name];
      const value: unknown = Reflect.get(target, name, target);
      // bound, because a provider may keep private fields
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
