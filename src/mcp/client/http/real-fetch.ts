/**
 * A whole WHATWG fetch for authorization servers, whose responses the SDK reads in more ways than a
 * transport's. Over the endpoint's own pool: its authorities are trusted, and certificates verified
 * whatever the environment says.
 */
import type { FetchLike } from "@modelcontextprotocol/client";
import { fetch } from "undici";
import type { Dispatcher, RequestInit as UndiciRequestInit } from "undici";

/** longest request to an authorization server, in ms */
const requestMs = 30_000;

export function createRealFetch(dispatcher: Dispatcher): FetchLike {
  return async (input, init) => {
    const limit = AbortSignal.timeout(requestMs);
    const signal = init?.signal ? AbortSignal.any([init.signal, limit]) : limit;
    const options = { ...init, signal, dispatcher } as UndiciRequestInit;
    // undici's own Response and the global one are the same by the standard, not by type
    return (await fetch(input, options)) as unknown as Response;
  };
}
