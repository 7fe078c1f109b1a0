import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { summarize } from "../../../src/bench/statistics.ts";

describe("a summary", () => {
  test("has the middle sample, or the mean of both middles", () => {
    expect(summarize([3, 1, 2])?.median).toBe(2);
    expect(summarize([4, 1, 2, 3])?.median).toBe(2.5);
    expect(summarize([7])?.median).toBe(7);
  });

  test("has as p95 what 95 of 100 samples reach, whichever end is the bad one", () => {
    const samples = Array.from({ length: 100 }, (_value, index) => index + 1);
    expect(summarize(samples)?.p95).toBe(95);
    expect(summarize(samples, true)?.p95).toBe(6);
    expect(summarize(Array.from({ length: 20 }, (_value, index) => index + 1))?.p95).toBe(19);
  });

  test("of nothing is nothing", () => {
    expect(summarize([])).toBeUndefined();
  });

  test("leaves no sample out and does not depend on their order", () => {
    const samples = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(samples, fc.boolean(), (values, higher) => {
        const summary = summarize(values, higher);
        expect(summary?.samples).toBe(values.length);
        expect(summary?.min).toBe(Math.min(...values));
        expect(summary?.max).toBe(Math.max(...values));
        expect(values).toContain(summary?.p95);
        expect(summarize(values.toReversed(), higher)).toEqual(summary);
      }),
    );
  });
});
