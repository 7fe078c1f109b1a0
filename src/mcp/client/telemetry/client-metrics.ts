/** What clients of MCP servers count. Several clients may share a registry; their numbers add up. */
import type { Counter, Gauge, Histogram } from "../../../metrics/instruments.ts";
import type { MetricsRegistry } from "../../../metrics/metrics-registry.ts";
import type { OAuthEvent } from "../auth/oauth-fetch.ts";
import type { Call, CallEnd, CallObserver, CallWatch } from "../call.ts";
import type { Dialed } from "../dialer.ts";
import type { BreakerState } from "../endpoints/breaker.ts";
import type { Endpoint } from "../endpoints/endpoint.ts";
import { BoundedNames, durationBounds, errorTypeOf, toolOf } from "./operation.ts";

type OperationLabel =
  | "mcp_method_name"
  | "gen_ai_tool_name"
  | "error_type"
  | "network_transport"
  | "mcp_protocol_version";

const breakerNumbers: Readonly<Record<BreakerState, number>> = {
  closed: 0,
  "half-open": 1,
  open: 2,
};

export class ClientMetrics implements CallObserver {
  readonly #durations: Histogram<OperationLabel>;
  readonly #retries: Counter<"reason">;
  readonly #reconnects: Counter<"endpoint">;
  readonly #inFlight: Gauge<"endpoint">;
  readonly #breakers: Gauge<"endpoint">;
  readonly #tools = new BoundedNames();

  constructor(registry: MetricsRegistry) {
    this.#durations = registry.histogram({
      name: "mcp_client_operation_duration_seconds",
      help: "how long calls of MCP servers took, waits and retries included",
      unit: "s",
      labels: [
        "mcp_method_name",
        "gen_ai_tool_name",
        "error_type",
        "network_transport",
        "mcp_protocol_version",
      ],
      bounds: durationBounds,
    });
    this.#retries = registry.counter({
      name: "luminaguard_mcp_retries_total",
      help: "how often calls were sent again, by what they had failed with",
      labels: ["reason"],
    });
    this.#reconnects = registry.counter({
      name: "luminaguard_mcp_reconnects_total",
      help: "how often a connection was made anew",
      labels: ["endpoint"],
    });
    this.#inFlight = registry.gauge({
      name: "luminaguard_mcp_endpoint_in_flight",
      help: "calls under way",
      labels: ["endpoint"],
      together: "sum",
    });
    this.#breakers = registry.gauge({
      name: "luminaguard_mcp_breaker_state",
      help: "0 closed, 1 half open, 2 open",
      labels: ["endpoint"],
      together: "max",
    });
  }

  begin(call: Call<unknown>): CallWatch {
    let last: Dialed | undefined;
    return {
      onAttempt: (_endpoint, dialed) => void (last = dialed),
      onRetry: ({ code }) => this.#retries.add({ reason: code }),
      onEnd: (end) => this.#count(call, last, end),
    };
  }

  countReconnect(endpoint: string): void {
    this.#reconnects.add({ endpoint });
  }

  /** Returns what ends it. */
  watchEndpoints(endpoints: readonly Endpoint[]): () => void {
    const ends = [
      this.#inFlight.watch((tell) => {
        for (const { name, inFlight } of endpoints) tell({ endpoint: name }, inFlight);
      }),
      this.#breakers.watch((tell) => {
        for (const { name, breaker } of endpoints) {
          if (breaker !== undefined) tell({ endpoint: name }, breakerNumbers[breaker.state]);
        }
      }),
    ];
    return () => ends.forEach((end) => end());
  }

  #count(call: Call<unknown>, last: Dialed | undefined, end: CallEnd): void {
    const tool = toolOf(call);
    this.#durations.observe(
      {
        mcp_method_name: call.method,
        gen_ai_tool_name: tool === undefined ? "" : this.#tools.at(tool),
        error_type: errorTypeOf(end) ?? "",
        network_transport: last?.network ?? "",
        mcp_protocol_version: last?.client.getNegotiatedProtocolVersion() ?? "",
      },
      end.durationMs / 1000,
    );
  }
}

/** For `onEvent` of `createOAuthFetch`: counts the tokens that were renewed, by why. */
export function countTokenRefreshes(registry: MetricsRegistry): (event: OAuthEvent) => void {
  const refreshes = registry.counter({
    name: "luminaguard_mcp_token_refreshes_total",
    help: "how often an access token was renewed",
    labels: ["reason"],
  });
  return ({ kind, reason }) => {
    if (kind === "token-renewed") refreshes.add({ reason });
  };
}
