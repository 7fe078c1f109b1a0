/** One address of a server: its connection, its breaker, and what is known of its health. */
import type { Clock } from "../../../base/clock.ts";
import type { LuminaGuardError } from "../../../errors.ts";
import { factsOf } from "../delivery.ts";
import type { Balanced } from "./balancer.ts";
import type { CircuitBreaker, Pass } from "./breaker.ts";
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

  /** Takes the right to make one call here, if there is one; exactly one of the three ends must follow. */
  tryEnter(): Pass | undefined {
    return this.breaker === undefined ? 0 : this.breaker.tryEnter();
  }

  endWell(pass: Pass): void {
    this.breaker?.endWell(pass);
    this.#isHealthy = true;
    this.lastError = undefined;
  }

  endBadly(pass: Pass, error: LuminaGuardError): void {
    if (error.code === "CANCELLED") {
      this.endUnjudged(pass);
      return;
    }
    this.lastError = error;
    const { retryAfterMs } = factsOf(error);
    if (retryAfterMs !== undefined) this.#restUntil = this.#clock.now() + retryAfterMs;
    if (endpointCodes.has(error.code)) this.breaker?.endBadly(pass);
    else this.breaker?.endWell(pass);
  }

  /** Whoever called left before an answer. */
  endUnjudged(pass: Pass): void {
    this.breaker?.endUnjudged(pass);
  }
}
