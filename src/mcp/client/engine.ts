/** Everything behind a client's face: endpoints, their connections, calls, state and health. */
import type { Client, PriorDiscovery } from "@modelcontextprotocol/client";
import { hostClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import type { MetricsRegistry } from "../../metrics/metrics-registry.ts";
import { composeObservers } from "./call.ts";
import type { Call, CallObserver } from "./call.ts";
import { Calls } from "./calls.ts";
import { StateWatch } from "./connection-state.ts";
import { createBalancer } from "./endpoints/balancer.ts";
import { CircuitBreaker } from "./endpoints/breaker.ts";
import { EndpointSet } from "./endpoints/endpoint-set.ts";
import { Endpoint } from "./endpoints/endpoint.ts";
import { HealthCheck } from "./endpoints/health-check.ts";
import { Link } from "./endpoints/link.ts";
import type { Plan } from "./plan.ts";
import type { StandingWishes } from "./standing-wishes.ts";
import { ClientMetrics } from "./telemetry/client-metrics.ts";
import { createTracing } from "./telemetry/tracing.ts";
import { ToolNotes } from "./tool-notes.ts";

export interface EngineOptions {
  /** a client of the SDK's with the program's handlers set */
  readonly createClient: () => Client;
  /** told of what goes wrong beside calls */
  readonly onError: (error: Error) => void;
  /** what is known of the server's era before it is asked */
  readonly prior: PriorDiscovery | undefined;
  readonly wishes: StandingWishes;
  /** stands still while a person is asked */
  readonly human: Clock;
  /** @default the host's */
  readonly clock?: Clock | undefined;
  /** @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default nobody */
  readonly observer?: CallObserver | undefined;
  /** @default none */
  readonly metrics?: MetricsRegistry | undefined;
  /** whether OpenTelemetry is told, where the program has registered it @default true */
  readonly openTelemetry?: boolean | undefined;
}

export class Engine {
  readonly plan: Plan;
  readonly state: StateWatch;
  /** what is remembered of the server's tools */
  readonly notes: ToolNotes;
  readonly #endpoints: EndpointSet;
  readonly #calls: Calls;
  readonly #health: HealthCheck | undefined;
  readonly #metrics: ClientMetrics | undefined;
  readonly #endMetrics: (() => void) | undefined;

  constructor(plan: Plan, options: EngineOptions) {
    const { random = Math.random, metrics, human, wishes } = options;
    this.#metrics = metrics && new ClientMetrics(metrics);
    const all = plan.dialers.map((each) => this.#createEndpoint(each, plan, options));
    this.#endMetrics = this.#metrics?.watchEndpoints(all);
    this.plan = plan;
    this.state = new StateWatch(all, options.onError);
    this.notes = new ToolNotes(plan.retry.trustAnnotations);
    const start = Math.floor(random() * all.length);
    this.#endpoints = new EndpointSet(all, createBalancer(plan.balancing, start));
    this.#calls = new Calls({
      endpoints: this.#endpoints,
      retry: plan.retry,
      totalMs: plan.totalMs,
      clock: human,
      random,
      mayAsk: () => wishes.mayAsk,
      observer: this.#createObserver(options),
    });
    const onChange = (why: string): void => this.state.look(why);
    this.#health =
      plan.health === false ? undefined : new HealthCheck(this.#endpoints, plan.health, onChange);
  }

  async run<T>(call: Call<T>): Promise<T> {
    try {
      return await this.#calls.run(call);
    } finally {
      this.state.look(call.method);
    }
  }

  startHealthCheck(): void {
    this.#health?.start();
  }

  /** the SDK's clients that are connected now */
  clients(): Client[] {
    return this.#endpoints.all.flatMap(({ link }) =>
      link.current === undefined ? [] : [link.current.client],
    );
  }

  async close(): Promise<void> {
    this.#health?.stop();
    await Promise.all(this.#endpoints.all.map((each) => each.link.close()));
    this.#endMetrics?.();
    this.state.close();
  }

  #createObserver({ observer, openTelemetry = true }: EngineOptions): CallObserver | undefined {
    const all = [this.#metrics, openTelemetry ? createTracing() : undefined, observer];
    return composeObservers(all.filter((each) => each !== undefined));
  }

  #createEndpoint(
    { dialer, weight }: Plan["dialers"][number],
    plan: Plan,
    { createClient, wishes, prior, clock = hostClock }: EngineOptions,
  ): Endpoint {
    const link = new Link({
      dialer,
      createClient,
      prior,
      dialMs: plan.dialMs,
      onDialed: (client) => wishes.restore(client),
      onReconnect: () => this.#metrics?.countReconnect(dialer.name),
      onChange: (why) => this.state.look(`${dialer.name}: ${why}`),
    });
    const breaker = plan.breaker === false ? undefined : new CircuitBreaker(plan.breaker, clock);
    return new Endpoint(link, { weight, breaker, clock });
  }
}
