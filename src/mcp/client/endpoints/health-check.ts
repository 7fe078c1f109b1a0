/**
 * Asks endpoints from time to time whether they are there, in the cheapest way their era allows: those
 * that are down so that they are found again, and the others, where there are several, so that none
 * fails first in a call.
 */
import type { HealthOptions } from "../http/http-options.ts";
import { askWhetherThere } from "../ask-whether-there.ts";
import { explainError } from "../explain.ts";
import type { EndpointSet } from "./endpoint-set.ts";
import type { Endpoint } from "./endpoint.ts";

export class HealthCheck {
  readonly #endpoints: EndpointSet;
  readonly #options: HealthOptions;
  readonly #onChange: (why: string) => void;
  readonly #underWay = new Set<Endpoint>();
  #timer: NodeJS.Timeout | undefined;
  #end = new AbortController();

  constructor(endpoints: EndpointSet, options: HealthOptions, onChange: (why: string) => void) {
    this.#endpoints = endpoints;
    this.#options = options;
    this.#onChange = onChange;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.checkAll(), this.#options.intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#end.abort(new Error("the client was closed"));
    this.#end = new AbortController();
  }

  /** One round; never rejects. */
  async checkAll(): Promise<void> {
    const { all } = this.#endpoints;
    const due = all.length > 1 ? all : all.filter((each) => !each.isUp);
    await Promise.all(due.map((each) => this.#checkOnce(each)));
  }

  /** A check that takes longer than the interval is not overtaken by the next. */
  async #checkOnce(endpoint: Endpoint): Promise<void> {
    if (this.#underWay.has(endpoint)) return;
    this.#underWay.add(endpoint);
    await this.#check(endpoint);
    this.#underWay.delete(endpoint);
  }

  async #check(endpoint: Endpoint): Promise<void> {
    // an open breaker is probed when it would let a call pass, and closed by a check that goes well
    const pass = endpoint.tryEnter();
    if (pass === undefined) return;
    const options = { timeout: this.#options.timeoutMs, signal: this.#end.signal };
    const wasHealthy = endpoint.isHealthy;
    try {
      await endpoint.link.use(({ client }) => askWhetherThere(client, options), {
        signal: this.#end.signal,
        timeoutMs: this.#options.timeoutMs,
      });
      endpoint.endWell(pass);
      if (!wasHealthy) this.#onChange(`${endpoint.name} is healthy again`);
    } catch (error) {
      const failure = explainError(error, endpoint.name);
      endpoint.endBadly(pass, failure);
      if (this.#end.signal.aborted || failure.code === "CANCELLED") return;
      endpoint.setHealthy(false);
      if (wasHealthy) this.#onChange(`${endpoint.name} failed its health check`);
    }
  }
}
