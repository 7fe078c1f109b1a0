/** `fetch` of an MCP endpoint with a token that a person was given. */
import type { FetchLike } from "@modelcontextprotocol/client";
import { createAuthError } from "./auth-error.ts";

export interface BearerFetchOptions {
  readonly next: FetchLike;
  readonly serverUrl: URL;
  /** as a person names it on the command line */
  readonly serverName: string;
  /** asked at each request, so that it may change */
  readonly token: () => string | Promise<string>;
}

/**
 * Puts the token on requests to the endpoint's origin and no other (RFC 6750, section 5.3). Raises
 * MCP_AUTH_REQUIRED when the server does not accept it, MCP_FORBIDDEN when it is not enough.
 */
export function createBearerFetch(options: BearerFetchOptions): FetchLike {
  const { next, serverUrl, serverName, token } = options;
  return async (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.delete("authorization");
    if (new URL(input).origin !== serverUrl.origin) return next(input, { ...init, headers });
    headers.set("authorization", `Bearer ${await token()}`);
    const response = await next(input, { ...init, headers, redirect: "manual" });
    if (response.status !== 401 && response.status !== 403) return response;
    await response.text().catch(() => ""); // frees the connection
    const isUnknown = response.status === 401;
    const code = isUnknown ? "MCP_AUTH_REQUIRED" : "MCP_FORBIDDEN";
    const what = isUnknown ? "does not accept the token" : "says no to this caller";
    throw createAuthError(code, `${serverName}: the server ${what}`, {
      hint: isUnknown ? "set a new token" : "ask its operator for the right to do this",
      details: { status: response.status, delivery: isUnknown ? "never" : "answered" },
    });
  };
}
