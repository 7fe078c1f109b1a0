/**
 * When a failed call is sent again. A call that may have been carried out is sent again only where
 * doing it twice is doing it once.
 */
import { longestTimerMs } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import type { LuminaGuardError } from "../../errors.ts";
import { createMcpError, factsOf } from "./delivery.ts";

export interface RetryOptions {
  /** most times a call is sent, the first included */
  readonly attempts: number;
  /** longest first wait, in ms */
  readonly initialMs: number;
  /** longest wait, in ms */
  readonly maxMs: number;
  /** how much longer each wait may be */
  readonly multiplier: number;
  /** waits that may be spent for each call made, so that an outage is not made worse; 1 is no bound */
  readonly budget: number;
}

export type RetryVerdict =
  /** another endpoint at once; when all failed, after a wait */
  | "again"
  /** another endpoint at once; waiting heals nothing */
  | "elsewhere"
  | "never";

/** What may be done about a failure. */
export function judgeFailure(error: LuminaGuardError, isIdempotent: boolean): RetryVerdict {
  const { delivery, phase } = factsOf(error);
  if (phase === "total") return "never";
  const isSafe = delivery === "never" || (delivery === "maybe" && isIdempotent);
  if (!isSafe) return "never";
  if (error.code === "MCP_TLS") return "elsewhere";
  const passes = ["MCP_TRANSIENT", "MCP_RATE_LIMITED", "MCP_DNS", "MCP_UNAVAILABLE", "TIMEOUT"];
  return passes.includes(error.code) ? "again" : "never";
}

/**
 * How a failure is told to the caller once it is final: one that was sent and whose answer was lost
 * is MCP_OUTCOME_UNKNOWN, unless carrying it out twice would do no harm.
 */
export function toFinalError(error: LuminaGuardError, isIdempotent: boolean): LuminaGuardError {
  const facts = factsOf(error);
  const isLost = error.code === "MCP_TRANSIENT" || error.code === "TIMEOUT";
  if (isIdempotent || facts.delivery !== "maybe" || !isLost || facts.phase === "total")
    return error;
  return createMcpError(
    "MCP_OUTCOME_UNKNOWN",
    `${error.message}; the call was sent, and may have been carried out`,
    {
      ...facts,
      hint: "look whether it was carried out; if doing it twice does no harm, call with idempotent: true",
      cause: error,
    },
  );
}

/** Exponential back-off with full jitter: any wait up to the bound is as likely. `round` counts from 0. */
export function backOffMs(options: RetryOptions, round: number, random: () => number): number {
  const bound = Math.min(options.maxMs, options.initialMs * options.multiplier ** round);
  return random() * bound;
}

/** waits that may be spent before any call earned one */
const reserve = 10;
/** most waits that can be saved up */
const savingsMax = 100;

/** Bounds retries by the calls that were made: a bucket that calls fill and waits empty. */
export class RetryBudget {
  readonly #perCall: number;
  #tokens = reserve;

  constructor(perCall: number) {
    this.#perCall = perCall;
  }

  earn(): void {
    if (this.#tokens < savingsMax) this.#tokens += this.#perCall;
  }

  spend(): boolean {
    if (this.#perCall >= 1) return true;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** Waits on the clock; rejects with the signal's reason. */
export function waitFor(ms: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const startedAt = clock.now();
    const look = (): void => {
      const leftMs = ms - (clock.now() - startedAt);
      if (leftMs > 1) timer = setTimeout(look, Math.min(leftMs, longestTimerMs));
      else finish(resolve);
    };
    let timer = setTimeout(look, Math.min(ms, longestTimerMs));
    const onAbort = (): void => finish(() => reject(signal?.reason as Error));
    const finish = (then: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      then();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
