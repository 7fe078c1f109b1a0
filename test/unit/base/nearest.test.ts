import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countSlips, nearestNames, renderDidYouMean } from "../../../src/base/nearest.ts";

describe("countSlips", () => {
  test.each([
    ["python", "python", 0],
    ["pyhton", "python", 1],
    ["pythn", "python", 1],
    ["pyython", "python", 1],
    ["pithon", "python", 1],
    ["", "abc", 3],
    ["kitten", "sitting", 3],
  ])("from %j to %j is %i", (a, b, slips) => {
    expect(countSlips(a, b)).toBe(slips);
  });

  test("is the same both ways, and 0 only for the same text", () => {
    const texts = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        expect(countSlips(a, b)).toBe(countSlips(b, a));
        expect(countSlips(a, b) === 0).toBe(a === b);
      }),
    );
  });
});

describe("nearestNames", () => {
  test("gives the nearest first, and none that is far", () => {
    expect(nearestNames("basse", ["base", "bass", "python", "base"])).toEqual(["base", "bass"]);
    expect(nearestNames("web", ["python"])).toEqual([]);
    expect(nearestNames("aaa", ["aab", "aac", "aad", "aae"], 2)).toEqual(["aab", "aac"]);
  });

  test("asks whether a name was meant", () => {
    expect(renderDidYouMean("basse", ["base", "bass"])).toBe('did you mean "base" or "bass"?');
    expect(renderDidYouMean("web", ["python"])).toBeUndefined();
  });
});
