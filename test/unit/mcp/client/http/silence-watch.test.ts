import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PausableClock } from "../../../../../src/base/clock.ts";
import { SilenceWatch } from "../../../../../src/mcp/client/http/silence-watch.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watch(limitMs: number, laterMs = limitMs) {
  const clock = new PausableClock();
  const onSilence = vi.fn();
  return { clock, onSilence, watch: new SilenceWatch(limitMs, laterMs, clock, onSilence) };
}

it("speaks once, when nothing was heard for the limit", () => {
  const each = watch(100);
  vi.advanceTimersByTime(90);
  expect(each.onSilence).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1000);
  expect(each.onSilence).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});

it("says nothing while something is heard, and speaks soon after it ends", () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 95 }), { maxLength: 30 });
  fc.assert(
    fc.property(gaps, (ms) => {
      const each = watch(100);
      for (const gap of ms) {
        vi.advanceTimersByTime(gap);
        each.watch.hear();
      }
      expect(each.onSilence).not.toHaveBeenCalled();
      vi.advanceTimersByTime(151);
      expect(each.onSilence).toHaveBeenCalledOnce();
    }),
  );
});

it("arms no timer for what it hears", () => {
  const each = watch(100);
  for (let count = 0; count < 1000; count += 1) each.watch.hear();
  expect(vi.getTimerCount()).toBe(1);
  each.watch.stop();
});

it("does not count time in which a person is asked", () => {
  const each = watch(100);
  vi.advanceTimersByTime(50);
  each.clock.setPaused(true);
  vi.advanceTimersByTime(60_000);
  each.clock.setPaused(false);
  vi.advanceTimersByTime(40);
  expect(each.onSilence).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100);
  expect(each.onSilence).toHaveBeenCalledOnce();
});

it.each([50, 97, 98, 99])("wakes rarely while a person is asked %d ms into the silence", (ms) => {
  const clock = new PausableClock();
  let looks = 0;
  const counting = { now: () => ((looks += 1), clock.now()) };
  const each = new SilenceWatch(100, 100, counting, () => undefined);
  vi.advanceTimersByTime(ms);
  clock.setPaused(true);
  vi.advanceTimersByTime(10_000);
  // callAfter looks every 50 ms, and asks the clock a few times
  expect(looks).toBeLessThanOrEqual(10 + 10_000 / 50);
  each.stop();
});

it("listens for ever where the limit is none", () => {
  const each = watch(0);
  vi.advanceTimersByTime(10_000_000);
  expect(each.onSilence).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

it.each([
  [100, 0],
  [1000, 100],
  [0, 100],
])("goes from a limit of %d ms to one of %d without a timer more", (limitMs, laterMs) => {
  const each = watch(limitMs, laterMs);
  vi.advanceTimersByTime(90);
  each.watch.restart(laterMs);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(80);
  expect(each.onSilence).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  expect(each.onSilence).toHaveBeenCalledTimes(laterMs === 0 ? 0 : 1);
  each.watch.stop();
});

it("takes another limit from now on, and ends when it is stopped", () => {
  const each = watch(100, 1000);
  vi.advanceTimersByTime(90);
  each.watch.restart(1000);
  vi.advanceTimersByTime(990);
  expect(each.onSilence).not.toHaveBeenCalled();
  each.watch.stop();
  vi.advanceTimersByTime(10_000);
  expect(each.onSilence).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
