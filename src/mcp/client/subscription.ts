/** A subscription that outlives its stream: when the server ends it, it is asked for again. */
import type { McpSubscription } from "@modelcontextprotocol/client";
import type { Clock } from "../../base/clock.ts";
import { LuminaGuardError } from "../../errors.ts";
import { backOffMs, waitFor } from "./retry.ts";
import type { RetryOptions } from "./retry.ts";

export interface Subscription {
  /** what the server agreed to tell of */
  readonly honoredFilter: McpSubscription["honoredFilter"];
  readonly close: () => Promise<void>;
  /** settles once it is over: closed here, or given up after the server refused it again and again */
  readonly closed: Promise<"local" | "given-up">;
}

export interface SubscriptionOptions {
  readonly retry: RetryOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly listen: () => Promise<McpSubscription>;
  readonly onClose: (subscription: Subscription) => void;
}

/** Raises what the first `listen` raises. */
export async function openSubscription(options: SubscriptionOptions): Promise<Subscription> {
  const end = new AbortController();
  let current = await options.listen();
  const closed = keepListening(options, end.signal, current, (next) => (current = next));
  const subscription: Subscription = {
    get honoredFilter() {
      return current.honoredFilter;
    },
    close: async () => {
      end.abort(new Error("the subscription was closed"));
      await current.close();
      await closed;
    },
    closed,
  };
  void closed.then(() => options.onClose(subscription));
  return subscription;
}

async function keepListening(
  options: SubscriptionOptions,
  signal: AbortSignal,
  first: McpSubscription,
  onNext: (next: McpSubscription) => void,
): Promise<"local" | "given-up"> {
  await first.closed;
  while (!signal.aborted) {
    const next = await listenAgain(options, signal);
    if (next === undefined) break;
    onNext(next);
    await (isAborted(signal) ? next.close() : next.closed);
  }
  return signal.aborted ? "local" : "given-up";
}

/**
 * Undefined when it was closed here meanwhile, or the server refused as often as calls are sent. A server
 * that is away is waited for.
 */
async function listenAgain(
  { retry, clock, random, listen }: SubscriptionOptions,
  signal: AbortSignal,
): Promise<McpSubscription | undefined> {
  let refusals = 0;
  for (let failures = 0; refusals < retry.attempts && !signal.aborted; failures += 1) {
    try {
      // a server that ends each stream at once is not asked in a hurry
      await waitFor(backOffMs(retry, failures, random), clock, signal);
      return await listen();
    } catch (error) {
      if (!isAway(error)) refusals += 1;
    }
  }
  return undefined;
}

function isAway(error: unknown): boolean {
  return error instanceof LuminaGuardError && awayCodes.has(error.code);
}

const awayCodes: ReadonlySet<string> = new Set([
  "MCP_TRANSIENT",
  "MCP_UNAVAILABLE",
  "MCP_DNS",
  "MCP_RATE_LIMITED",
  "TIMEOUT",
]);

/** Read anew: an await stands between it and the last look. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
