import { describe, expect, test } from "vitest";
import type { Goal, Measurement } from "../../../src/bench/measurement.ts";
import { createRow, renderGoal, renderNumber, renderVerdict } from "../../../src/bench/row.ts";

function measurementWith(goal: Goal): Measurement {
  return {
    name: "one",
    group: "group",
    unit: "ms",
    what: "something",
    method: "by hand",
    goal,
    run: () => Promise.resolve({ values: [], floors: [] }),
  };
}

describe("a row", () => {
  test.each<[Goal, string, boolean]>([
    [{ kind: "at-most", value: 20 }, "≤ 20 ms", true],
    [{ kind: "at-most", value: 19 }, "≤ 19 ms", false],
    [{ kind: "at-least", value: 20 }, "≥ 20 ms", true],
    [{ kind: "at-least", value: 21 }, "≥ 21 ms", false],
    [{ kind: "ratio-at-most", ratio: 2 }, "≤ 2 × floor", true],
    [{ kind: "ratio-at-most", ratio: 1.9 }, "≤ 1.9 × floor", false],
    [{ kind: "ratio-at-least", ratio: 2 }, "≥ 2 × floor", true],
    [{ kind: "ratio-at-least", ratio: 2.1 }, "≥ 2.1 × floor", false],
  ])("holds a median of 20 over a floor of 10 against %j", (goal, text, met) => {
    const measurement = measurementWith(goal);
    const row = createRow(measurement, { values: [20, 10, 30], floors: [10, 1, 100] });
    expect(renderGoal(measurement)).toBe(text);
    expect(row.ratio).toBe(2);
    expect(row.met).toBe(met);
    expect(renderVerdict(row)).toBe(met ? "met" : "missed");
  });

  test("without a floor has no verdict where the goal needs one, and one where it does not", () => {
    const series = { values: [1], floors: [] };
    const withFloor = createRow(measurementWith({ kind: "ratio-at-most", ratio: 2 }), series);
    expect([withFloor.ratio, withFloor.met]).toEqual([undefined, undefined]);
    expect(renderVerdict(withFloor)).toBe("no floor");
    expect(createRow(measurementWith({ kind: "at-most", value: 2 }), series).met).toBe(true);
  });

  test("without values has failed, whatever the goal", () => {
    const row = createRow(measurementWith({ kind: "at-most", value: 2 }), {
      values: [],
      floors: [],
    });
    expect(row.met).toBeUndefined();
    expect(renderVerdict(row)).toBe("failed");
  });
});

test("a number has three digits that count", () => {
  expect([0.0212, 0.5, 1.234, 12.34, 123.4, 60, undefined].map(renderNumber)).toEqual([
    "0.021",
    "0.500",
    "1.23",
    "12.3",
    "123",
    "60",
    "–",
  ]);
});
