/**
 * Everything that can be said of a server reached over HTTP. Times are in ms.
 */
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Balancing } from "../endpoints/balancer.ts";
import type { BreakerOptions } from "../endpoints/breaker.ts";
import type { RetryOptions } from "../retry.ts";
import type { TlsOptions } from "../tls/tls-options.ts";

export interface HttpTimeouts {
  /** until the TCP connection stands @default 5000 */
  readonly connectMs: number;
  /** until the TLS handshake is done @default 5000 */
  readonly tlsMs: number;
  /** until the answer begins; 0 is for ever @default 60000 */
  readonly firstByteMs: number;
  /** silence within an answer; 0 is for ever. Above the 15 s in which servers say that they live @default 45000 */
  readonly idleMs: number;
  /** the whole call, waits and retries included, less what a person was asked for @default 60000 */
  readonly totalMs: number;
}

/** Defaults: 4 attempts, 200 ms, 10 s, doubled each time, a budget of 0.2 waits a call. */
export interface HttpRetryOptions extends RetryOptions {
  /**
   * Which tools' own word is taken for it that calling them twice does no harm (`readOnlyHint`,
   * `idempotentHint`): all, none, or these names. A server may lie about it.
   * @default false
   */
  readonly trustAnnotations: boolean | readonly string[];
}

export interface HealthOptions {
  /** @default 15000 */
  readonly intervalMs: number;
  /** @default 5000 */
  readonly timeoutMs: number;
}

export interface HttpLimits {
  /** largest answer that is one document, in bytes @default 16 MiB */
  readonly answerBytesMax: number;
  /** most connections to one endpoint @default 64 */
  readonly connectionsMax: number;
}

/** checked and filled */
export interface HttpOptions {
  /** one to 64; the weight is 1 unless said */
  readonly endpoints: readonly { readonly url: string; readonly weight: number }[];
  readonly headers: Readonly<Record<string, string>>;
  /** `sse` is the HTTP+SSE of 2024-11-05 @default "auto" */
  readonly transport: "auto" | "streamable" | "sse";
  readonly timeouts: HttpTimeouts;
  readonly retry: HttpRetryOptions;
  /** @default "round-robin" */
  readonly balancing: Balancing;
  /** @default 5 failures in a row, open for 5 s, then twice as long up to 60 s */
  readonly breaker: BreakerOptions | false;
  /** asked only where there are several endpoints, or one that is down */
  readonly health: HealthOptions | false;
  readonly limits: HttpLimits;
  /** beside the system's roots; certificates are always verified */
  readonly tls: TlsOptions;
}

type OneOf<T> = T extends object ? Partial<T> : T;

/** as it is written: everything but the endpoints may be left out */
export interface HttpOptionsInput {
  readonly endpoints: readonly { readonly url: string; readonly weight?: number | undefined }[];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly transport?: HttpOptions["transport"] | undefined;
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  readonly retry?: Partial<HttpRetryOptions> | undefined;
  readonly balancing?: Balancing | undefined;
  readonly breaker?: (OneOf<BreakerOptions> & Pick<BreakerOptions, "mode">) | false | undefined;
  readonly health?: Partial<HealthOptions> | false | undefined;
  readonly limits?: Partial<HttpLimits> | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** What is not data: given in a program, never in a file. */
export interface HttpHooks {
  /**
   * Puts authorization around each request to one endpoint.
   * @param next sends the request
   * @param realFetch for requests to authorization servers, over the same trust
   */
  readonly authorize?:
    ((next: FetchLike, endpoint: URL, realFetch: FetchLike) => FetchLike) | undefined;
}
