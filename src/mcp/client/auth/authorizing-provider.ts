/** What logs in to one MCP server: the SDK's provider, and what endurance needs besides. */
import type { OAuthClientProvider, StoredOAuthTokens } from "@modelcontextprotocol/client";

/** What the person's browser brought back after a redirect. */
export interface AuthorizationResponse {
  readonly code: string;
  /** the authorization server that says it answered (RFC 9207) */
  readonly iss?: string | undefined;
}

export interface AuthorizingProvider extends OAuthClientProvider {
  /**
   * Runs the work while no other process changes this login; what others wrote meanwhile is read
   * before it begins. Absent: nobody else has this login.
   */
  exclusively?<T>(work: () => Promise<T>): Promise<T>;
  /** Waits for the answer to `redirectToAuthorization`. Absent: nobody is there to ask. */
  authorizationResponse?(): Promise<AuthorizationResponse>;
}

/** Tokens, and when they end. The fields pass through any provider that keeps its tokens whole. */
export type DatedTokens = StoredOAuthTokens & {
  /** when the access token ends, by the authorization server's clock, in `ms` since 1970 */
  readonly expires_at_ms?: number | undefined;
  /** what to add to our clock to get the authorization server's, in `ms` */
  readonly clock_skew_ms?: number | undefined;
};

/**
 * Counts a token's life from the moment its server says it answered (the Date header), so that it
 * matters neither how long the answer travelled nor whose clock is wrong.
 * @param serverDateMs undefined: the server named no date
 */
export function dateTokens(
  tokens: DatedTokens,
  nowMs: number,
  serverDateMs: number | undefined,
): DatedTokens {
  if (tokens.expires_in === undefined || tokens.expires_at_ms !== undefined) return tokens;
  const skewMs = serverDateMs === undefined ? 0 : serverDateMs - nowMs;
  return {
    ...tokens,
    expires_at_ms: nowMs + skewMs + tokens.expires_in * 1000,
    clock_skew_ms: skewMs,
  };
}

/** How long the access token is still good, in `ms`; Infinity when nobody said. */
export function lifeLeftMs(tokens: DatedTokens, nowMs: number): number {
  if (tokens.expires_at_ms === undefined) return Number.POSITIVE_INFINITY;
  return tokens.expires_at_ms - (nowMs + (tokens.clock_skew_ms ?? 0));
}

/** Whether a new access token can be had without a person. */
export function canRenewAlone(provider: OAuthClientProvider, tokens?: StoredOAuthTokens): boolean {
  return provider.redirectUrl === undefined || tokens?.refresh_token !== undefined;
}
