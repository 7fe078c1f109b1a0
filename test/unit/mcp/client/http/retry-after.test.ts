import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRetryAfter } from "../../../../../src/mcp/client/http/retry-after.ts";

const dayMs = 86_400_000;
const now = Date.UTC(2026, 10, 22, 12, 0, 0);

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7000],
    ["86401", dayMs],
    ["9999999999", dayMs],
    ["Sun, 22 Nov 2026 12:00:30 GMT", 30_000],
    ["Sunday, 22-Nov-26 12:00:30 GMT", 30_000],
    ["Sun Nov 22 12:00:30 2026 GMT", 30_000],
    ["Sun, 22 Nov 2026 11:59:00 GMT", 0],
    ["Wed, 22 Nov 2028 12:00:00 GMT", dayMs],
    [undefined, undefined],
    ["", undefined],
    ["-1", undefined],
    ["1.5", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["12345678901", undefined],
    ["soon", undefined],
    ["2026-11-22T12:00:30Z", undefined],
    ["Sun, 99 Nov 2026 12:00:30 GMT", undefined],
  ])("%j is %j ms", (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms);
  });

  it("never throws, and is never negative nor more than a day, whatever is sent", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string().map((each) => `Sun, ${each}`),
      fc.stringMatching(/^\d{0,20}$/),
      fc.date({ noInvalidDate: true }).map((each) => each.toUTCString()),
    );
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 2 ** 45 }), (header, at) => {
        const ms = parseRetryAfter(header, at);
        if (ms === undefined) return;
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(dayMs);
      }),
      { numRuns: 200 },
    );
  });

  it("reads any number of seconds and any HTTP date within a day", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400 }), (seconds) => {
        expect(parseRetryAfter(String(seconds), now)).toBe(seconds * 1000);
        const date = new Date(now + seconds * 1000).toUTCString();
        expect(parseRetryAfter(date, now)).toBe(seconds * 1000);
      }),
    );
  });
});
