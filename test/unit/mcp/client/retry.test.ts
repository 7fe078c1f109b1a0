import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PausableClock, hostClock } from "../../../../src/base/clock.ts";
import type { ErrorCode } from "../../../../src/errors.ts";
import { createMcpError, factsOf } from "../../../../src/mcp/client/delivery.ts";
import type { Delivery, FailureFacts } from "../../../../src/mcp/client/delivery.ts";
import {
  backOffMs,
  judgeFailure,
  RetryBudget,
  toFinalError,
  waitFor,
} from "../../../../src/mcp/client/retry.ts";
import type { RetryVerdict } from "../../../../src/mcp/client/retry.ts";

const fail = (code: ErrorCode, facts: FailureFacts) => createMcpError(code, "it failed", facts);

/** code, delivery, verdict for any call, verdict for a call that may be carried out twice */
const verdicts: readonly (readonly [ErrorCode, Delivery, RetryVerdict, RetryVerdict])[] = [
  ["MCP_TRANSIENT", "never", "again", "again"],
  ["MCP_TRANSIENT", "maybe", "never", "again"],
  ["MCP_TRANSIENT", "answered", "never", "never"],
  ["MCP_RATE_LIMITED", "never", "again", "again"],
  ["MCP_RATE_LIMITED", "maybe", "never", "again"],
  ["MCP_DNS", "never", "again", "again"],
  ["MCP_UNAVAILABLE", "never", "again", "again"],
  ["MCP_UNAVAILABLE", "maybe", "never", "again"],
  ["TIMEOUT", "never", "again", "again"],
  ["TIMEOUT", "maybe", "never", "again"],
  ["MCP_TLS", "never", "elsewhere", "elsewhere"],
  ["MCP_TLS", "maybe", "never", "elsewhere"],
  ["MCP_PROTOCOL", "never", "never", "never"],
  ["MCP_PROTOCOL", "maybe", "never", "never"],
  ["MCP_PROTOCOL", "answered", "never", "never"],
  ["MCP_AUTH_REQUIRED", "never", "never", "never"],
  ["MCP_FORBIDDEN", "never", "never", "never"],
  ["MCP_TOOL_ERROR", "answered", "never", "never"],
  ["MCP_OUTCOME_UNKNOWN", "maybe", "never", "never"],
  ["CANCELLED", "maybe", "never", "never"],
];

describe("a failure", () => {
  it.each(verdicts)("%s, carried out: %s, is judged %s, or %s", (code, delivery, any, twice) => {
    const error = fail(code, { delivery });
    expect(judgeFailure(error, false)).toBe(any);
    expect(judgeFailure(error, true)).toBe(twice);
  });

  it.each(["never", "maybe"] as const)(
    "for want of the call's own time is final (%s)",
    (delivery) => {
      const error = fail("TIMEOUT", { delivery, phase: "total" });
      expect(judgeFailure(error, true)).toBe("never");
      expect(toFinalError(error, false)).toBe(error);
    },
  );

  it.each(["MCP_TRANSIENT", "TIMEOUT"] as const)(
    "%s of a call that was sent is told as an outcome that is unknown",
    (code) => {
      const error = fail(code, { delivery: "maybe", endpoint: "http://a/mcp", status: 502 });
      const final = toFinalError(error, false);
      expect(final).toMatchObject({ code: "MCP_OUTCOME_UNKNOWN", cause: error });
      expect(factsOf(final)).toEqual(factsOf(error));
    },
  );

  it.each([
    ["of a call that may be carried out twice", "MCP_TRANSIENT", "maybe", true],
    ["that never reached the server", "MCP_TRANSIENT", "never", false],
    ["that the server answered", "MCP_PROTOCOL", "answered", false],
    ["that tells nothing of delivery", "MCP_PROTOCOL", "maybe", false],
  ] as const)("%s is told as it is", (_name, code, delivery, isIdempotent) => {
    const error = fail(code, { delivery });
    expect(toFinalError(error, isIdempotent)).toBe(error);
  });
});

it("waits at random within a bound that grows, up to the longest", () => {
  const options = fc.record({
    initialMs: fc.integer({ min: 1, max: 10_000 }),
    maxMs: fc.integer({ min: 1, max: 60_000 }),
    multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
  });
  const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(options, fc.nat(10_000), share, (each, round, random) => {
      const retry = { ...each, attempts: 4, budget: 1 };
      const ms = backOffMs(retry, round, () => random);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(each.maxMs);
      if (round === 0) expect(ms).toBeLessThanOrEqual(each.initialMs);
    }),
  );
  const retry = { attempts: 4, budget: 1, initialMs: 200, maxMs: 1000, multiplier: 2 };
  const bounds = [0, 1, 2, 3, 4].map((round) => backOffMs(retry, round, () => 1));
  expect(bounds).toEqual([200, 400, 800, 1000, 1000]);
});

describe("the budget of retries", () => {
  const spendAll = (budget: RetryBudget): number => {
    let count = 0;
    while (count < 1000 && budget.spend()) count += 1;
    return count;
  };

  it("lets a few pass before any call earned one", () => {
    expect(spendAll(new RetryBudget(0))).toBe(10);
  });

  it("gives back a share of the calls made", () => {
    const budget = new RetryBudget(0.25);
    spendAll(budget);
    for (let call = 0; call < 40; call += 1) budget.earn();
    expect(spendAll(budget)).toBe(10);
  });

  it("saves up no more than its most", () => {
    const budget = new RetryBudget(0.5);
    for (let call = 0; call < 10_000; call += 1) budget.earn();
    expect(spendAll(budget)).toBe(100);
  });

  it("is no bound at one wait a call", () => {
    expect(spendAll(new RetryBudget(1))).toBe(1000);
  });
});

describe("a wait", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("ends when its time passed on the clock, and not while that stands still", async () => {
    const clock = new PausableClock();
    const onEnd = vi.fn();
    void waitFor(100, clock, undefined).then(onEnd);
    await vi.advanceTimersByTimeAsync(60);
    clock.setPaused(true);
    await vi.advanceTimersByTimeAsync(10_000);
    clock.setPaused(false);
    expect(onEnd).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(40);
    expect(onEnd).toHaveBeenCalledOnce();
  });

  it("ends with the signal's reason, and leaves no timer", async () => {
    const controller = new AbortController();
    const wait = waitFor(100, hostClock, controller.signal);
    controller.abort("enough");
    await expect(wait).rejects.toBe("enough");
    await expect(waitFor(100, hostClock, controller.signal)).rejects.toBe("enough");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("may be longer than a timer of Node", async () => {
    const onEnd = vi.fn();
    void waitFor(3_000_000_000, hostClock, undefined).then(onEnd);
    void waitFor(Number.POSITIVE_INFINITY, hostClock, undefined).then(onEnd);
    await vi.advanceTimersByTimeAsync(2_999_999_000);
    expect(onEnd).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2000);
    expect(onEnd).toHaveBeenCalledOnce();
  });
});
