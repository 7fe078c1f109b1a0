/** From what a program names as its server to what a client needs to reach it. */
import type { FetchLike, Transport } from "@modelcontextprotocol/client";
import type { Clock } from "../../base/clock.ts";
import type { Dialer } from "./dialer.ts";
import type { Balancing } from "./endpoints/balancer.ts";
import type { BreakerOptions } from "./endpoints/breaker.ts";
import { createConnectionPool } from "./http/connector.ts";
import { createHttpDialer } from "./http/http-dialer.ts";
import type { HealthOptions, HttpRetryOptions } from "./http/http-options.ts";
import type { HttpServer } from "./http/http-server.ts";
import { createRealFetch } from "./http/real-fetch.ts";
import { createLeanFetch } from "./http/lean-fetch.ts";
import { createTlsSource } from "./tls/tls-source.ts";
import { createTransportDialer } from "./transport-dialer.ts";

/** A server that brings its own way of being reached. */
export interface DialedServer {
  readonly kind: "dialed";
  readonly createDialer: (clock: Clock) => Dialer;
  readonly retry?: Partial<HttpRetryOptions>;
  /** longest call, in ms @default 60000 */
  readonly totalMs?: number;
  /** until connected, in ms @default 30000 */
  readonly dialMs?: number;
}

/** What `ManagedClient.connect` takes: a description, or a transport of the SDK's. */
export type McpServer = HttpServer | DialedServer | Transport;

export interface Plan {
  readonly dialers: readonly { readonly dialer: Dialer; readonly weight: number }[];
  readonly retry: HttpRetryOptions;
  readonly totalMs: number;
  readonly dialMs: number;
  /** longest wait for a server to tell its era, where silence means an older one; in ms */
  readonly eraMs: number | undefined;
  readonly balancing: Balancing;
  readonly breaker: BreakerOptions | false;
  readonly health: HealthOptions | false;
}

const defaultRetry: HttpRetryOptions = {
  attempts: 4,
  initialMs: 200,
  maxMs: 10_000,
  multiplier: 2,
  budget: 0.2,
  trustAnnotations: false,
};

/** @param clock stands still while a person is asked */
export function planConnection(server: McpServer, clock: Clock): Plan {
  if (!("kind" in server)) return planSingle(createTransportDialer(server), {});
  if (server.kind === "dialed") return planSingle(server.createDialer(clock), server);
  return planHttp(server, clock);
}

function planSingle(dialer: Dialer, options: Omit<DialedServer, "kind" | "createDialer">): Plan {
  return {
    dialers: [{ dialer, weight: 1 }],
    retry: { ...defaultRetry, ...options.retry },
    totalMs: options.totalMs ?? 60_000,
    dialMs: options.dialMs ?? 30_000,
    // an older server on a pipe may ignore the question
    eraMs: 10_000,
    balancing: "round-robin",
    breaker: false,
    health: false,
  };
}

function planHttp({ options, hooks }: HttpServer, clock: Clock): Plan {
  const { timeouts, limits } = options;
  const tls = createTlsSource(options.tls);
  return {
    ...options,
    dialers: options.endpoints.map(({ url, weight }) => {
      const address = new URL(url);
      const pool = createConnectionPool({
        connectMs: timeouts.connectMs,
        tlsMs: timeouts.tlsMs,
        connectionsMax: limits.connectionsMax,
        tls,
      });
      const exchangeLimits = { ...timeouts, answerBytesMax: limits.answerBytesMax };
      const lean = createLeanFetch({ dispatcher: pool, limits: exchangeLimits, clock });
      const fetch: FetchLike = hooks.authorize?.(lean, address, createRealFetch(pool)) ?? lean;
      const closePool = (): Promise<void> => pool.destroy();
      const { headers, transport } = options;
      const dialer = createHttpDialer({ url: address, fetch, headers, mode: transport, closePool });
      return { dialer, weight };
    }),
    totalMs: timeouts.totalMs,
    dialMs: timeouts.totalMs,
    eraMs: undefined,
  };
}
