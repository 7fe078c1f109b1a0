import { describe, expect, it } from "vitest";
import { flagLookAlikes } from "../../../../src/approvals/card/look-alikes.ts";

describe("words that are not what they look like", () => {
  it.each([
    ["p\u0430ypal", "p\u0430ypal (Latin and Cyrillic)"],
    ["src/m\u03bfdule.ts", "m\u03bfdule (Latin and Greek)"],
    ["\u{1d429}ay", "\u{1d429}ay (styled and Latin)"],
    ["\uff50\uff41\uff59", "\uff50\uff41\uff59 (styled)"],
    ["a\u0561b", "a\u0561b (Latin and Armenian)"],
    ["\u0430\u6f22", "\u0430\u6f22 (Cyrillic and East Asian)"],
  ])("%s is flagged", (text, named) => {
    expect(flagLookAlikes([text])).toEqual([`mixes alphabets in one word: ${named}`]);
  });

  it.each([
    "paypal",
    "naïve café",
    "привет мир",
    "привет-world",
    "Tシャツ",
    "漢字かな",
    "Δx",
    "日本語",
  ])("%s is %s", (text) => {
    const isGreekBesideLatin = text === "Δx";
    expect(flagLookAlikes([text])).toHaveLength(isGreekBesideLatin ? 1 : 0);
  });

  it("that turn the writing direction are flagged too", () => {
    expect(flagLookAlikes(["\u05d0\u05d1 123"])).toEqual([
      "right-to-left letters, so the order on screen can mislead: \u05d0\u05d1",
    ]);
  });

  it("are named three at most, and the rest is counted", () => {
    const words = ["a\u0430", "b\u0430", "c\u0430", "d\u0430", "e\u0430"].join(" ");
    expect(flagLookAlikes([words])[0]).toMatch(/ and 2 more$/);
  });
});
