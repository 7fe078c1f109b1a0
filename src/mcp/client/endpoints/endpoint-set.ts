/** All endpoints of a server: which takes the next call, and why none can. */
import type { LuminaGuardError } from "../../../errors.ts";
import { createMcpError } from "../delivery.ts";
import type { Pick } from "./balancer.ts";
import type { Endpoint } from "./endpoint.ts";

export class EndpointSet {
  readonly all: readonly Endpoint[];
  readonly #pick: Pick<Endpoint>;
  #home: Endpoint | undefined;

  constructor(all: readonly Endpoint[], pick: Pick<Endpoint>) {
    this.all = all;
    this.#pick = pick;
  }

  /**
   * The endpoint for the next attempt. Calls of one session stay together, for as long as its endpoint
   * takes them.
   * @param tried endpoints that failed this call already
   */
  pick(tried: ReadonlySet<Endpoint>): Endpoint | undefined {
    const home = this.#home;
    if (home !== undefined && !tried.has(home) && home.isReady) return home;
    const [only] = this.all;
    if (this.all.length === 1 && only !== undefined) {
      return !tried.has(only) && only.isReady ? only : undefined;
    }
    return this.#pick(this.all.filter((each) => !tried.has(each) && each.isReady));
  }

  /** Where a call went well: a session begun there is kept to. */
  settle(endpoint: Endpoint): void {
    if (endpoint === this.#home) return;
    this.#home = endpoint.link.current?.isSession() === true ? endpoint : undefined;
  }

  /** the shortest time until an endpoint that is up may be asked again, in ms; undefined when none is up */
  get restMs(): number | undefined {
    const rests = this.all.filter((each) => each.isUp).map((each) => each.restMs);
    return rests.length === 0 ? undefined : Math.min(...rests);
  }

  /** One error that names each endpoint with what it failed with last. */
  createUnavailable(): LuminaGuardError {
    const reasons = this.all.map((each) => `${each.name}: ${describe(each)}`);
    const message =
      this.all.length === 1
        ? (reasons[0] ?? "no endpoint")
        : `no endpoint is up: ${reasons.join("; ")}`;
    return createMcpError("MCP_UNAVAILABLE", message, {
      delivery: "never",
      hint: "look at the server, or try again later",
      cause: this.all.find((each) => each.lastError !== undefined)?.lastError,
    });
  }
}

function describe(endpoint: Endpoint): string {
  const prefix = `${endpoint.name}: `;
  const last = endpoint.lastError?.message ?? "its health check failed";
  const why = last.startsWith(prefix) ? last.slice(prefix.length) : last;
  const state = endpoint.breaker?.state ?? "closed";
  return state === "closed" ? why : `${why} (breaker ${state})`;
}
