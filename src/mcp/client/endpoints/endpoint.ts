/** One address of a server: its connection, its breaker, and what is known of its health. */
import type { Clock } from "../../../base/clock.ts";
import type { LuminaGuardError } from "../../../errors.ts";
import { factsOf } from "../delivery.ts";
import type { Balanced } from "./balancer.ts";
import type { CircuitBreaker } from "./breaker.ts";
import type { Link } from "./link.ts";

/** codes that speak of the endpoint, not of the call */
const endpointCodes: ReadonlySet<string> = new Set([
  "MCP_TRANSIENT",
  "MCP_DNS",
  "MCP_TLS",
  "MCP_UNAVAILABLE",
  "TIMEOUT",
]);

export class Endpoint implements Balanced {
  readonly link: Link;
  readonly weight: number;
  readonly breaker: CircuitBreaker | undefined;
  readonly #clock: Clock;
  inFlight = 0;
  lastError: LuminaGuardError | undefined;
  #isHealthy = true;
  #restUntil = 0;

  constructor(
    link: Link,
    options: {
      readonly weight: number;
      readonly breaker: CircuitBreaker | undefined;
      readonly clock: Clock;
    },
  ) {
    this.link = link;
    this.weight = options.weight;
    this.breaker = options.breaker;
    this.#clock = options.clock;
  }

  get name(): string {
    return this.link.name;
  }

  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  /** Set by health checks; a call that goes well says the same. */
  setHealthy(isHealthy: boolean): void {
    this.#isHealthy = isHealthy;
  }

  /** in ms; what the server asked for with Retry-After */
  get restMs(): number {
    return Math.max(0, this.#restUntil - this.#clock.now());
  }

  /** Whether calls are expected to go well here: healthy, and its breaker lets them pass. */
  get isUp(): boolean {
    return this.#isHealthy && (this.breaker?.isPassable ?? true);
  }

  get isReady(): boolean {
    return this.isUp && (this.#restUntil === 0 || this.restMs === 0);
  }

  endWell(): void {
    this.breaker?.endWell();
    this.#isHealthy = true;
    this.lastError = undefined;
  }

  endBadly(error: LuminaGuardError): void {
    this.lastError = error;
    const { retryAfterMs, phase } = factsOf(error);
    if (retryAfterMs !== undefined) this.#restUntil = this.#clock.now() + retryAfterMs;
    if (error.code === "CANCELLED") this.breaker?.endUnjudged();
    else if (endpointCodes.has(error.code) && phase !== "total") this.breaker?.endBadly();
    else if (error.code === "TIMEOUT") this.breaker?.endBadly();
    else this.breaker?.endWell();
  }
}
