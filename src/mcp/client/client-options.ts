/** What a program may say of a client, and the SDK's client that is made of it for each connection. */
import type {
  Client,
  ClientOptions,
  Implementation,
  ResponseCacheStore,
} from "@modelcontextprotocol/client";
import type { Clock } from "../../base/clock.ts";
import type { MetricsRegistry } from "../../metrics/metrics-registry.ts";
import type { CallObserver } from "./call.ts";
import { QuickClient } from "./quick-client.ts";
import { TaskClient } from "./tasks/task-client.ts";

export interface ManagedClientOptions extends ClientOptions {
  /** @default nobody */
  readonly observer?: CallObserver;
  /** where calls, retries, breakers and reconnects are counted @default nowhere */
  readonly metrics?: MetricsRegistry;
  /** whether spans and durations go to the OpenTelemetry SDK that the program registered, if it did
   * @default true */
  readonly openTelemetry?: boolean;
  /** @default the host's */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: () => number;
  /** whether a call that the server makes a task of is followed to its end @default true */
  readonly tasks?: boolean;
}

/** The caller's word for it that carrying a call out twice does no harm. */
export interface Twice {
  readonly idempotent?: boolean;
}

/** a tool that says it failed: given back like any result, or raised as MCP_TOOL_ERROR */
export interface ToolErrors {
  readonly toolErrors?: "return" | "throw";
}

export interface SdkClientParts {
  /** stands still while a person is asked */
  readonly human: Clock;
  /** one for all connections of a client */
  readonly cache: ResponseCacheStore;
  /** longest wait for a server to tell its era, in ms @default the SDK's */
  readonly eraMs: number | undefined;
}

export function createSdkClient(
  info: Implementation,
  all: ManagedClientOptions,
  { human, cache, eraMs }: SdkClientParts,
): Client {
  const { observer: _o, metrics: _m, openTelemetry: _t, clock: _c, random: _r, ...rest } = all;
  const { tasks = true, ...given } = rest;
  const options: ClientOptions = {
    versionNegotiation: {
      mode: "auto",
      ...(eraMs === undefined ? {} : { probe: { timeoutMs: eraMs } }),
    },
    responseCacheStore: cache,
    ...given,
  };
  return tasks ? new TaskClient(info, options, human) : new QuickClient(info, options);
}
