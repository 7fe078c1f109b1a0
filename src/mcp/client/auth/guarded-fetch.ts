/**
 * `fetch` for requests to authorization servers. Where those are is said by the MCP server, which is
 * not trusted: it must not make us ask the inside of our own network (SSRF).
 */
import type { FetchLike } from "@modelcontextprotocol/client";
import { LuminaGuardError } from "../../../errors.ts";
import { createAuthError } from "./auth-error.ts";

/** What the latest answer to a token request said beside its body. */
export interface TokenAnswer {
  /** of the Date header, in `ms` since 1970 */
  readonly dateMs: number | undefined;
  /** the server failed, or did not answer; undefined when it did */
  readonly failure: string | undefined;
}

export interface GuardedFetch {
  readonly fetch: FetchLike;
  readonly lastAnswer: () => TokenAnswer;
}

/** longest wait for one answer of an authorization server, in `ms` */
const requestTimeoutMs = 30_000;

/**
 * Only https, or http on loopback when the MCP server is on loopback, too. Each request has a
 * deadline of 30 s. Raises MCP_PROTOCOL for an address that is not allowed.
 */
export function createGuardedFetch(next: FetchLike, serverUrl: URL): GuardedFetch {
  let answer: TokenAnswer = { dateMs: undefined, failure: undefined };
  const guarded: FetchLike = async (input, init) => {
    const url = new URL(input);
    if (!isAllowedAddress(url, serverUrl)) throw refusal(url);
    const isTokenRequest = init?.method === "POST";
    try {
      const response = await next(input, {
        ...init,
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      if (isTokenRequest) answer = readAnswer(response);
      return response;
    } catch (error) {
      if (isTokenRequest) answer = { dateMs: undefined, failure: "no answer" };
      if (error instanceof TypeError || error instanceof LuminaGuardError) throw error;
      throw new TypeError("fetch failed", { cause: error }); // what the SDK takes for "no answer"
    }
  };
  return { fetch: guarded, lastAnswer: () => answer };
}

/** Whether the MCP server may send us there: to a page in the browser, or to ask for a token. */
export function isAllowedAddress(url: URL, serverUrl: URL): boolean {
  const isServerLocal = isLoopback(serverUrl);
  if (isLoopback(url)) return isServerLocal && /^https?:$/.test(url.protocol);
  return url.protocol === "https:";
}

function isLoopback({ hostname }: URL): boolean {
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}

function refusal(url: URL): Error {
  return createAuthError(
    "MCP_PROTOCOL",
    `an authorization server at ${url.origin} is not asked: it is not https, or inside this host`,
    { hint: "the MCP server named that address; its operator must name one with https" },
  );
}

function readAnswer(response: Response): TokenAnswer {
  const dateMs = Date.parse(response.headers.get("date") ?? "");
  return {
    dateMs: Number.isNaN(dateMs) ? undefined : dateMs,
    failure: response.status >= 500 ? `HTTP ${response.status}` : undefined,
  };
}
