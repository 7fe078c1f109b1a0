/**
 * A server that is reached over HTTP, described step by step or in one object. Each step gives a new,
 * checked, frozen description.
 */
import type { TlsOptions } from "../tls/tls-options.ts";
import { checkHttpOptions } from "./check-http-options.ts";
import type { HttpHooks, HttpOptions, HttpOptionsInput } from "./http-options.ts";

export type EndpointInput = string | URL | { readonly url: string | URL; readonly weight?: number };

type Part<K extends keyof HttpOptionsInput> = NonNullable<HttpOptionsInput[K]>;

export class HttpServer {
  readonly kind = "http";
  readonly options: HttpOptions;
  readonly hooks: HttpHooks;

  /** Raises CONFIG_INVALID. */
  constructor(input: HttpOptionsInput, hooks: HttpHooks = {}) {
    this.options = checkHttpOptions(input);
    this.hooks = Object.freeze({ ...hooks });
    Object.freeze(this);
  }

  /** Headers sent with every request, added to those said before. */
  withHeaders(headers: Readonly<Record<string, string>>): HttpServer {
    return this.#with({ headers: { ...this.options.headers, ...headers } });
  }

  /** Limits for connecting, TLS, the first byte, silence and the whole call, in ms. */
  withTimeout(timeouts: Part<"timeouts">): HttpServer {
    return this.#with({ timeouts: { ...this.options.timeouts, ...timeouts } });
  }

  /** How often and how fast a failed call is sent again. */
  withRetry(retry: Part<"retry">): HttpServer {
    return this.#with({ retry: { ...this.options.retry, ...retry } });
  }

  withLoadBalancing(balancing: Part<"balancing">): HttpServer {
    return this.#with({ balancing });
  }

  /** When an endpoint that fails is left alone; `false` for never. */
  withCircuitBreaker(breaker: Part<"breaker">): HttpServer {
    return this.#with({ breaker });
  }

  /** How often endpoints are asked whether they are there; `false` for never. */
  withHealthCheck(health: Part<"health">): HttpServer {
    return this.#with({ health });
  }

  withLimits(limits: Part<"limits">): HttpServer {
    return this.#with({ limits: { ...this.options.limits, ...limits } });
  }

  /** Streamable HTTP, the HTTP+SSE of 2024-11-05, or whichever the server speaks. */
  withTransport(transport: Part<"transport">): HttpServer {
    return this.#with({ transport });
  }

  /** Authorities to trust beside the system's, a client certificate, pinned keys. */
  withTls(tls: TlsOptions): HttpServer {
    return this.#with({ tls });
  }

  /** Authorization around each request, such as OAuth. */
  withAuth(authorize: NonNullable<HttpHooks["authorize"]>): HttpServer {
    return new HttpServer(this.options, { ...this.hooks, authorize });
  }

  #with(change: Partial<HttpOptionsInput>): HttpServer {
    return new HttpServer({ ...this.options, ...change }, this.hooks);
  }
}

/** A server at one address or several. Raises CONFIG_INVALID. */
export function http(endpoints: EndpointInput | readonly EndpointInput[]): HttpServer {
  const list: readonly EndpointInput[] = isList(endpoints) ? endpoints : [endpoints];
  return new HttpServer({
    endpoints: list.map((each) =>
      typeof each === "string" || each instanceof URL
        ? { url: String(each) }
        : { ...each, url: String(each.url) },
    ),
  });
}

function isList(
  value: EndpointInput | readonly EndpointInput[],
): value is readonly EndpointInput[] {
  return Array.isArray(value);
}
