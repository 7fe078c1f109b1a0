/**
 * `fetch` for the SDK's transports, straight on undici's dispatcher: about a sixth of the processor
 * time of WHATWG fetch. It follows no redirect (the transport does, within the origin) and keeps no
 * cookies. What goes wrong is a LuminaGuardError with the facts of its delivery.
 */
import { setMaxListeners } from "node:events";
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Dispatcher } from "undici";
import type { Clock } from "../../../base/clock.ts";
import { createMcpError, nameOfUrl } from "../delivery.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeLimits } from "./exchange.ts";
import { parseRetryAfter } from "./retry-after.ts";

export interface LeanFetchOptions {
  readonly dispatcher: Dispatcher;
  readonly limits: ExchangeLimits;
  /** what silence is counted on; stands still while a person is asked */
  readonly clock: Clock;
}

/** Raises MCP_DNS, MCP_TLS, MCP_TRANSIENT, MCP_RATE_LIMITED, MCP_PROTOCOL, TIMEOUT, or the signal's reason. */
export function createLeanFetch(options: LeanFetchOptions): FetchLike {
  const { dispatcher, limits, clock } = options;
  const describe = createDescriber();
  const raise = createRaiser();
  return async (input, init = {}) => {
    const { endpoint, origin, path } = describe(input);
    const signal = init.signal ?? undefined;
    if (signal !== undefined) raise(signal);
    const exchange = new Exchange({ endpoint, limits, clock, signal });
    dispatcher.dispatch(
      {
        origin,
        path,
        method: init.method ?? "GET",
        headers: flattenHeaders(init.headers),
        body: bodyOf(init.body),
        headersTimeout: 0, // the exchange has its own limits, which stand still while a person is asked
        bodyTimeout: 0,
      },
      exchange,
    );
    const response = await exchange.response;
    const { status } = response;
    if (status === 429 || status >= 500) await refuse(response, endpoint);
    return response;
  };
}

interface Address {
  readonly href: string;
  readonly endpoint: string;
  readonly origin: string;
  readonly path: string;
}

/** An endpoint has one address, taken apart once. */
function createDescriber(): (input: string | URL) => Address {
  let last: Address | undefined;
  return (input) => {
    const href = typeof input === "string" ? input : input.href;
    if (last?.href === href) return last;
    const url = new URL(href);
    const { origin, pathname, search } = url;
    last = { href, origin, endpoint: nameOfUrl(url), path: `${pathname}${search}` };
    return last;
  };
}

/**
 * A transport may hand the same signal to all its requests; each leaves it when it ends, and none is to
 * be warned of the others. A signal of one request's own is not worth the change.
 */
function createRaiser(): (signal: AbortSignal) => void {
  let last: AbortSignal | undefined;
  let raised: AbortSignal | undefined;
  return (signal) => {
    if (signal === last && signal !== raised) {
      setMaxListeners(0, signal);
      raised = signal;
    }
    last = signal;
  };
}

function flattenHeaders(headers: RequestInit["headers"]): string[] {
  const flat: string[] = [];
  const isReady = headers instanceof Headers || Array.isArray(headers);
  for (const [name = "", value = ""] of isReady ? headers : new Headers(headers)) {
    flat.push(name, value);
  }
  return flat;
}

function bodyOf(body: RequestInit["body"]): string | null {
  if (body === undefined || body === null) return null;
  if (typeof body === "string") return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError("a request's body is text here");
}

/** Server failures become errors here, where the headers are still at hand; the rest is the SDK's to read. */
async function refuse(response: Response, endpoint: string): Promise<never> {
  const { status } = response;
  const retryAfterMs = parseRetryAfter(
    response.headers.get("retry-after") ?? undefined,
    Date.now(),
  );
  const facts = { status, endpoint, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  if (status === 429) {
    const message = `${endpoint}: too many calls (HTTP 429)`;
    throw createMcpError("MCP_RATE_LIMITED", message, { ...facts, delivery: "never" });
  }
  const text = await response.text();
  const cause = new Error(text.slice(0, causeCharactersMax));
  if (!transientStatuses.has(status)) {
    const message = `${endpoint}: the server cannot serve this (HTTP ${String(status)})`;
    throw createMcpError("MCP_PROTOCOL", message, { ...facts, delivery: "answered", cause });
  }
  // a server that names the time to come back did not begin the work (RFC 9110, section 15.6.4)
  const delivery = status === 503 && retryAfterMs !== undefined ? "never" : "maybe";
  const message = `${endpoint}: the server failed (HTTP ${String(status)})`;
  throw createMcpError("MCP_TRANSIENT", message, { ...facts, delivery, cause });
}

const transientStatuses: ReadonlySet<number> = new Set([500, 502, 503, 504]);
/** how much of a failure's text is kept as its cause */
const causeCharactersMax = 2000;
