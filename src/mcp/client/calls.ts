/**
 * The life of one call: an endpoint is chosen, the call made, and what came of it judged; it is sent
 * again where that is safe and useful. Every way through ends in a result or in one typed error.
 */
import { longestTimerMs } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import type { LuminaGuardError } from "../../errors.ts";
import type { Call, CallEnd, CallObserver, CallWatch, RequestMeta } from "./call.ts";
import { createMcpError } from "./delivery.ts";
import type { Dialed } from "./dialer.ts";
import type { Pass } from "./endpoints/breaker.ts";
import type { Endpoint } from "./endpoints/endpoint.ts";
import type { EndpointSet } from "./endpoints/endpoint-set.ts";
import { explainError } from "./explain.ts";
import { backOffMs, judgeFailure, RetryBudget, toFinalError, waitFor } from "./retry.ts";
import type { RetryOptions } from "./retry.ts";

export interface CallsOptions {
  readonly endpoints: EndpointSet;
  readonly retry: RetryOptions;
  /** longest time for a call, waits and retries included, in ms, unless the call says otherwise */
  readonly totalMs: number;
  /** stands still while a person is asked */
  readonly clock: Clock;
  readonly random: () => number;
  /** whether a person may be asked in the middle of a call */
  readonly mayAsk: () => boolean;
  readonly observer: CallObserver | undefined;
}

interface Progress {
  readonly watch: CallWatch | undefined;
  readonly tried: Set<Endpoint>;
  readonly startedAt: number;
  readonly dueAt: number;
  sent: number;
  rounds: number;
  last: LuminaGuardError | undefined;
}

export class Calls {
  readonly #options: CallsOptions;
  readonly #budget: RetryBudget;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#budget = new RetryBudget(options.retry.budget);
  }

  /** Raises the one typed error of the call, or the caller's own reason where its signal was aborted. */
  async run<T>(call: Call<T>): Promise<T> {
    const progress = this.#begin(call);
    const attempts = (): Promise<T> => this.#attempts(call, progress);
    try {
      const result = await (progress.watch?.around?.(attempts) ?? attempts());
      this.#end(progress, { result });
      return result;
    } catch (error) {
      const isLeft = call.options?.signal?.aborted === true;
      const end = isLeft ? createCancelled(call, error) : explainError(error, "the call");
      const final = toFinalError(end, call.isIdempotent);
      this.#end(progress, { error: final });
      throw isLeft ? call.options.signal?.reason : final;
    }
  }

  #begin(call: Call<unknown>): Progress {
    const { clock, totalMs, observer } = this.#options;
    const startedAt = clock.now();
    const dueAt = startedAt + (call.options?.timeout ?? totalMs);
    const watch = observer?.begin(call);
    this.#budget.earn();
    return { watch, startedAt, dueAt, tried: new Set(), sent: 0, rounds: 0, last: undefined };
  }

  #end({ watch, startedAt }: Progress, end: Omit<CallEnd, "durationMs">): void {
    watch?.onEnd?.({ ...end, durationMs: this.#options.clock.now() - startedAt });
  }

  async #attempts<T>(call: Call<T>, progress: Progress): Promise<T> {
    for (;;) {
      call.options?.signal?.throwIfAborted();
      const endpoint = this.#options.endpoints.pick(progress.tried);
      const pass = endpoint?.tryEnter();
      if (endpoint === undefined || pass === undefined) {
        await this.#waitForEndpoint(call, progress);
        continue;
      }
      if (progress.last !== undefined) progress.watch?.onRetry?.(progress.last);
      progress.sent += 1;
      progress.tried.add(endpoint);
      endpoint.inFlight += 1;
      try {
        const result = await this.#attempt(call, endpoint, progress);
        endpoint.endWell(pass);
        this.#options.endpoints.settle(endpoint);
        return result;
      } catch (error) {
        const failure = explainError(error, endpoint.name);
        endWithout(call, failure, endpoint, pass);
        progress.last = failure;
        this.#mayGoOn(call, failure, progress);
      } finally {
        endpoint.inFlight -= 1;
      }
    }
  }

  #attempt<T>(call: Call<T>, endpoint: Endpoint, progress: Progress): Promise<T> {
    const { clock, mayAsk } = this.#options;
    const timeoutMs = Math.max(1, progress.dueAt - clock.now());
    const run = (dialed: Dialed): Promise<T> => {
      const meta = progress.watch?.onAttempt?.(endpoint, dialed);
      if (mayAsk()) return this.#withClock(call, dialed, progress, meta);
      const timeout = Math.min(Math.max(1, progress.dueAt - clock.now()), longestTimerMs);
      return call.invoke(dialed.client, { ...call.options, timeout }, meta);
    };
    return endpoint.link.use(run, { signal: call.options?.signal, timeoutMs });
  }

  /** The SDK's own limit does not stand still while a person is asked: this one does. */
  async #withClock<T>(
    call: Call<T>,
    dialed: Dialed,
    progress: Progress,
    meta: RequestMeta | undefined,
  ): Promise<T> {
    const { clock } = this.#options;
    const limit = new AbortController();
    const outer = call.options?.signal;
    const onAbort = (): void => limit.abort(outer?.reason);
    if (outer?.aborted === true) onAbort();
    outer?.addEventListener("abort", onAbort, { once: true });
    const leftMs = Math.max(1, progress.dueAt - clock.now());
    const over = new AbortController();
    waitFor(leftMs, clock, over.signal).then(
      () => limit.abort(createTimeout(call)),
      () => undefined,
    );
    try {
      const options = { ...call.options, signal: limit.signal, timeout: longestTimerMs };
      return await call.invoke(dialed.client, options, meta);
    } catch (error) {
      if (limit.signal.aborted) throw limit.signal.reason;
      throw error;
    } finally {
      over.abort();
      outer?.removeEventListener("abort", onAbort);
    }
  }

  /** Returns when the call is to be sent again; raises what it ends with otherwise. */
  #mayGoOn(call: Call<unknown>, failure: LuminaGuardError, progress: Progress): void {
    const { retry, clock, endpoints } = this.#options;
    if (call.options?.signal?.aborted === true) throw failure;
    const verdict = judgeFailure(failure, call.isIdempotent);
    const isLast = progress.sent >= retry.attempts || clock.now() >= progress.dueAt;
    if (verdict === "never" || isLast) throw failure;
    if (verdict === "elsewhere" && !endpoints.all.some((each) => !progress.tried.has(each)))
      throw failure;
  }

  /** All endpoints failed this call, or rest: a wait, and all may be tried again. */
  async #waitForEndpoint(call: Call<unknown>, progress: Progress): Promise<void> {
    const { endpoints, retry, clock, random } = this.#options;
    const { restMs } = endpoints;
    if (restMs === undefined) throw this.#nobodyLeft(progress);
    if (progress.last !== undefined && !this.#budget.spend()) throw progress.last;
    const backOff = progress.last === undefined ? 0 : backOffMs(retry, progress.rounds, random);
    const ms = Math.max(restMs, backOff, 1);
    if (clock.now() + ms >= progress.dueAt) throw progress.last ?? createRateLimited(restMs);
    await waitFor(ms, clock, call.options?.signal);
    progress.rounds += 1;
    progress.tried.clear();
  }

  #nobodyLeft(progress: Progress): LuminaGuardError {
    const { endpoints } = this.#options;
    // the one endpoint's own failure says more than that none is up
    if (endpoints.all.length === 1 && progress.last !== undefined) return progress.last;
    return endpoints.createUnavailable();
  }
}

/** A caller who left says nothing of the endpoint. */
function endWithout(
  call: Call<unknown>,
  failure: LuminaGuardError,
  endpoint: Endpoint,
  pass: Pass,
): void {
  if (call.options?.signal?.aborted === true) endpoint.endUnjudged(pass);
  else endpoint.endBadly(pass, failure);
}

function createTimeout(call: Call<unknown>): LuminaGuardError {
  const message = `${call.name ?? call.method}: no answer within the call's time`;
  return createMcpError("TIMEOUT", message, { delivery: "maybe", phase: "total" });
}

function createCancelled(call: Call<unknown>, cause: unknown): LuminaGuardError {
  const message = `${call.name ?? call.method}: the call was cancelled`;
  return createMcpError("CANCELLED", message, { delivery: "maybe", cause });
}

function createRateLimited(restMs: number): LuminaGuardError {
  const message = `every endpoint asks to be left alone for ${String(Math.ceil(restMs / 1000))} s`;
  const facts = { delivery: "never", retryAfterMs: restMs } as const;
  return createMcpError("MCP_RATE_LIMITED", message, facts);
}
