/** How a client stands with its server, derived from its endpoints, with a bounded history. */
import type { BreakerState } from "./endpoints/breaker.ts";
import type { Endpoint } from "./endpoints/endpoint.ts";

/**
 * `idle` nothing was asked yet · `connecting` the first connection is made · `ready` every endpoint is
 * up · `degraded` some are · `open` none is: calls fail at once · `closed` for good
 */
export type ConnectionState = "idle" | "connecting" | "ready" | "degraded" | "open" | "closed";

export interface StateChange {
  /** ms since 1970 */
  readonly at: number;
  readonly from: ConnectionState;
  readonly to: ConnectionState;
  readonly why: string;
}

export interface EndpointSnapshot {
  readonly name: string;
  readonly isConnected: boolean;
  readonly isHealthy: boolean;
  readonly breaker: BreakerState;
  readonly inFlight: number;
  readonly lastError: string | undefined;
}

export interface ConnectionSnapshot {
  readonly state: ConnectionState;
  readonly endpoints: readonly EndpointSnapshot[];
  /** oldest first, the last 100 */
  readonly history: readonly StateChange[];
}

const historyMax = 100;

export class StateWatch {
  readonly #endpoints: readonly Endpoint[];
  readonly #onError: (error: Error) => void;
  readonly #listeners = new Set<(change: StateChange) => void>();
  readonly #history: StateChange[] = [];
  #state: ConnectionState = "idle";
  #isClosed = false;

  /** @param onError told of a listener that throws */
  constructor(endpoints: readonly Endpoint[], onError: (error: Error) => void) {
    this.#endpoints = endpoints;
    this.#onError = onError;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Looks again, after something happened that may have changed it. */
  look(why: string): void {
    const to = this.#derive();
    if (to === this.#state) return;
    const change = { at: Date.now(), from: this.#state, to, why };
    this.#state = to;
    this.#history.push(change);
    if (this.#history.length > historyMax) this.#history.shift();
    for (const listener of [...this.#listeners]) this.#tell(listener, change);
  }

  /** The change came with a call: a listener that throws must not take the place of its result. */
  #tell(listener: (change: StateChange) => void, change: StateChange): void {
    try {
      listener(change);
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.look("closed by the program");
  }

  /** Returns what ends it. */
  listen(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  snapshot(): ConnectionSnapshot {
    return {
      state: this.#state,
      endpoints: this.#endpoints.map((each) => ({
        name: each.name,
        isConnected: each.link.current !== undefined,
        isHealthy: each.isHealthy,
        breaker: each.breaker?.state ?? "closed",
        inFlight: each.inFlight,
        lastError: each.lastError?.message,
      })),
      history: [...this.#history],
    };
  }

  #derive(): ConnectionState {
    if (this.#isClosed) return "closed";
    const up = this.#endpoints.filter((each) => each.isUp).length;
    if (up === 0) return "open";
    if (up < this.#endpoints.length) return "degraded";
    if (this.#endpoints.some((each) => each.link.current !== undefined)) return "ready";
    if (this.#endpoints.some((each) => each.link.isDialing)) return "connecting";
    return this.#state === "idle" ? "idle" : "connecting";
  }
}
