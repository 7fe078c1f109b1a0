/**
 * `fetch` of an MCP endpoint that needs OAuth: puts the access token on each request to the
 * endpoint's origin and nowhere else, and gets a new one when it is about to end, when the server no
 * longer accepts it (401), and when it is not wide enough (403 insufficient_scope).
 */
import { extractWWWAuthenticateParams, withDpop } from "@modelcontextprotocol/client";
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Clock } from "../../../base/clock.ts";
import { isLuminaGuardError } from "../../../errors.ts";
import type { ErrorCode } from "../../../errors.ts";
import { createAuthError, createLoginRequired } from "./auth-error.ts";
import { authorize } from "./authorize.ts";
import { canRenewAlone, lifeLeftMs } from "./authorizing-provider.ts";
import type { AuthorizingProvider, DatedTokens } from "./authorizing-provider.ts";
import { Flights } from "./flights.ts";
import { ScopeWishes } from "./scope-wishes.ts";

/** Why a token was asked for; no event holds a secret. */
export type OAuthEvent =
  | { readonly kind: "token-renewed"; readonly reason: RenewReason }
  | { readonly kind: "token-failed"; readonly reason: RenewReason; readonly code: ErrorCode };

/** `scope`: the server wants more than the token allows */
export type RenewReason = "expiring" | "rejected" | "missing" | "scope";

export interface OAuthFetchOptions {
  /** sends the request; it must not follow redirects to other origins */
  readonly next: FetchLike;
  readonly provider: AuthorizingProvider;
  readonly serverUrl: URL;
  /** as a person names it on the command line */
  readonly serverName: string;
  /** for requests to authorization servers: a whole WHATWG fetch */
  readonly realFetch: FetchLike;
  /** how long before its end a token is renewed, at most half its life, in `ms`
   * @default 60_000 */
  readonly refreshAheadMs?: number;
  /** `ms` since 1970 @default Date.now */
  readonly clock?: Clock;
  readonly onEvent?: (event: OAuthEvent) => void;
}

/** no second try to renew a token that is still good within this time, in `ms` */
const aheadAgainMs = 10_000;

/** one login, one flight at a time, however many endpoints share it */
const flightsOf = new WeakMap<AuthorizingProvider, Flights>();

/**
 * Raises, besides what `next` raises, MCP_AUTH_REQUIRED when a person must log in, MCP_FORBIDDEN when
 * the server says no to whoever it knows, MCP_TRANSIENT when the authorization server is away.
 */
export function createOAuthFetch(options: OAuthFetchOptions): FetchLike {
  const gate = new OAuthGate(options);
  return (input, init) => gate.fetch(new URL(input), init);
}

class OAuthGate {
  readonly #options: OAuthFetchOptions;
  readonly #clock: Clock;
  readonly #flights: Flights;
  readonly #scopes = new ScopeWishes();
  #aheadFailedAt = Number.NEGATIVE_INFINITY;

  constructor(options: OAuthFetchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? { now: Date.now };
    const flights = flightsOf.get(options.provider) ?? new Flights();
    flightsOf.set(options.provider, flights);
    this.#flights = flights;
  }

  async fetch(url: URL, init: RequestInit = {}): Promise<Response> {
    const { next, serverUrl, serverName } = this.#options;
    if (url.origin !== serverUrl.origin) return next(url, withoutCredentials(init));
    let isRenewed = false;
    let isWidened = false;
    for (;;) {
      const tokens = await this.#readyTokens(init.signal);
      const response = await this.#send(url, init, tokens);
      if (response.status !== 401 && response.status !== 403) return response;
      const challenge = extractWWWAuthenticateParams(response);
      await response.text().catch(() => ""); // frees the connection
      if (response.status === 401) {
        if (isRenewed) throw createLoginRequired(serverName, "does not accept its new token");
        isRenewed = true;
        await this.#renew(tokens, challenge, init.signal);
      } else {
        if (challenge.error !== "insufficient_scope" || isWidened) throw this.#forbidden(challenge);
        isWidened = true;
        await this.#widen(tokens, challenge, init.signal);
      }
    }
  }

  /** The token to send, renewed if it is about to end; none before the first answer asked for one. */
  async #readyTokens(signal: Signal): Promise<DatedTokens | undefined> {
    const { provider, refreshAheadMs = 60_000 } = this.#options;
    const tokens: DatedTokens | undefined = await provider.tokens();
    if (tokens === undefined) return undefined;
    const leftMs = lifeLeftMs(tokens, this.#clock.now());
    const aheadMs = Math.min(refreshAheadMs, ((tokens.expires_in ?? 0) * 1000) / 2);
    if (leftMs > aheadMs || !canRenewAlone(provider, tokens)) return tokens;
    const isStillGood = leftMs > 0;
    if (isStillGood && this.#clock.now() - this.#aheadFailedAt < aheadAgainMs) return tokens;
    try {
      await this.#flights.join(
        `renew ${tokens.access_token}`,
        () => this.#authorize("expiring", tokens, {}),
        signal,
      );
    } catch (error) {
      if (!isStillGood || !isLuminaGuardError(error)) throw error;
      this.#aheadFailedAt = this.#clock.now();
      return tokens;
    }
    return provider.tokens();
  }

  #send(url: URL, init: RequestInit, tokens: DatedTokens | undefined): Promise<Response> {
    const { next, provider } = this.#options;
    const plain: RequestInit = { ...init, redirect: "manual" };
    if (tokens === undefined) return next(url, withoutCredentials(plain));
    if (tokens.token_type.toLowerCase() === "dpop") {
      const session = (): ReturnType<NonNullable<typeof provider.dpop>> => provider.dpop?.();
      return withDpop(session, () => tokens.access_token)(next)(url, plain);
    }
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${tokens.access_token}`);
    return next(url, { ...plain, headers });
  }

  /** After a 401: whoever had this token waits for one renewal. */
  async #renew(
    tokens: DatedTokens | undefined,
    { scope, resourceMetadataUrl }: Challenge,
    signal: Signal,
  ): Promise<void> {
    const { provider, serverName } = this.#options;
    if (await this.#hasChanged(tokens)) return;
    if (provider.authorizationResponse === undefined && !canRenewAlone(provider, tokens)) {
      const why = tokens === undefined ? "needs a login" : "no longer accepts its login";
      throw createLoginRequired(serverName, why);
    }
    const wished = this.#scopes.add(scope);
    const reason = tokens === undefined ? "missing" : "rejected";
    await this.#flights.join(
      `renew ${tokens?.access_token ?? ""}`,
      async () => {
        // the server may have moved to another authorization server
        await provider.invalidateCredentials?.("discovery");
        await this.#authorize(reason, tokens, { scope: wished, resourceMetadataUrl });
      },
      signal,
    );
  }

  /** After a 403 insufficient_scope: asks for all scopes so far and the new ones, once per union. */
  async #widen(
    tokens: DatedTokens | undefined,
    challenge: Challenge,
    signal: Signal,
  ): Promise<void> {
    const { provider, serverName } = this.#options;
    if (await this.#hasChanged(tokens)) return;
    const scope = this.#scopes.union(tokens?.scope, challenge.scope);
    const flight = `scope ${scope}`;
    if (!this.#flights.has(flight)) {
      const nowMs = this.#clock.now();
      if (this.#scopes.isHopeless(scope, tokens?.scope, nowMs)) throw this.#forbidden(challenge);
      if (provider.redirectUrl !== undefined && provider.authorizationResponse === undefined) {
        throw createLoginRequired(serverName, "wants a wider login", { scope });
      }
      this.#scopes.tried(scope, nowMs);
    }
    const { resourceMetadataUrl } = challenge;
    const wish: Wish = { scope, resourceMetadataUrl, forceReauthorization: true };
    await this.#flights.join(flight, () => this.#authorize("scope", tokens, wish), signal);
  }

  /** Whether somebody else got another token meanwhile. */
  async #hasChanged(tokens: DatedTokens | undefined): Promise<boolean> {
    const current = await this.#options.provider.tokens();
    return current?.access_token !== tokens?.access_token;
  }

  async #authorize(reason: RenewReason, old: DatedTokens | undefined, wish: Wish): Promise<void> {
    const { provider, onEvent, serverUrl, serverName, realFetch } = this.#options;
    const isNeeded = async (): Promise<boolean> => !(await this.#hasChanged(old));
    try {
      const clock = this.#clock;
      const base = { serverUrl, serverName, realFetch, clock, isNeeded };
      await authorize(provider, { ...base, ...wish });
      onEvent?.({ kind: "token-renewed", reason });
    } catch (error) {
      if (isLuminaGuardError(error)) onEvent?.({ kind: "token-failed", reason, code: error.code });
      throw error;
    }
  }

  #forbidden({ scope, error }: Challenge): Error {
    const { serverName } = this.#options;
    return createAuthError("MCP_FORBIDDEN", `${serverName}: the server says no to this caller`, {
      hint: "ask its operator for the right to do this",
      details: {
        delivery: "answered",
        status: 403,
        ...(error === "insufficient_scope" && { reason: error }),
        ...(scope !== undefined && /^[\x21-\x7e ]{1,200}$/.test(scope) && { scope }),
      },
    });
  }
}

type Signal = AbortSignal | null | undefined;
type Challenge = ReturnType<typeof extractWWWAuthenticateParams>;
interface Wish {
  readonly scope?: string | undefined;
  readonly resourceMetadataUrl?: URL | undefined;
  readonly forceReauthorization?: boolean;
}

function withoutCredentials(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers);
  headers.delete("authorization");
  headers.delete("dpop");
  return { ...init, headers };
}
