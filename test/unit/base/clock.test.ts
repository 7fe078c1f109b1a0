import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PausableClock, callAfter, longestTimerMs } from "../../../src/base/clock.ts";
import { withDeadline } from "../../../src/base/deadline.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a clock that can stand still", () => {
  it("counts only while it goes, however often it is told", () => {
    const clock = new PausableClock();
    vi.advanceTimersByTime(100);
    for (const isPaused of [true, true]) clock.setPaused(isPaused);
    const stoodAt = clock.now();
    vi.advanceTimersByTime(1_000_000);
    expect([clock.now(), clock.isPaused]).toEqual([stoodAt, true]);
    for (const isPaused of [false, false]) clock.setPaused(isPaused);
    vi.advanceTimersByTime(50);
    expect([clock.now(), clock.isPaused]).toEqual([150, false]);
  });
});

describe("a call after a time", () => {
  it("comes when that time passed on the clock, and not while it stands still", () => {
    const clock = new PausableClock();
    const onDue = vi.fn();
    callAfter(100, onDue, clock);
    vi.advanceTimersByTime(60);
    clock.setPaused(true);
    vi.advanceTimersByTime(1_000_000);
    clock.setPaused(false);
    vi.advanceTimersByTime(30);
    expect(onDue).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(onDue).toHaveBeenCalledOnce();
  });

  it("does not come when it was called off, also while the clock stood still", () => {
    const clock = new PausableClock();
    const onDue = vi.fn();
    const callOff = callAfter(100, onDue, clock);
    clock.setPaused(true);
    vi.advanceTimersByTime(500);
    callOff();
    clock.setPaused(false);
    vi.advanceTimersByTime(500);
    expect(onDue).not.toHaveBeenCalled();
  });
});

it("a deadline on a clock that stands still does not pass", async () => {
  const clock = new PausableClock();
  clock.setPaused(true);
  let settled = false;
  const waited = withDeadline(new Promise(() => undefined), {
    timeoutMs: 10,
    what: "nothing",
    clock,
  }).finally(() => (settled = true));
  waited.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(settled).toBe(false);
  clock.setPaused(false);
  await vi.advanceTimersByTimeAsync(200);
  await expect(waited).rejects.toMatchObject({ code: "TIMEOUT" });
});

it("a call after a time longer than a timer of Node can be set to comes then, and not at once", () => {
  const onDue = vi.fn();
  callAfter(longestTimerMs + 1000, onDue);
  vi.advanceTimersByTime(longestTimerMs);
  expect(onDue).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1000);
  expect(onDue).toHaveBeenCalledOnce();
});
