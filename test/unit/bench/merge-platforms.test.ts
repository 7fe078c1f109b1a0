import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  mergePlatforms,
  parseResult,
  renderPlatforms,
} from "../../../src/bench/merge-platforms.ts";
import type { PlatformResult } from "../../../src/bench/merge-platforms.ts";
import { isLuminaGuardError } from "../../../src/errors.ts";
import { listTestLanes } from "../../support/lanes.ts";

const boot = { name: "cold-boot", unit: "ms", value: 1234, ratio: 1.2, met: true };

function resultOf(lane: string, rows: PlatformResult["rows"]): PlatformResult {
  return { host: { lane, processor: "A Processor", date: "2026-01-31" }, rows };
}

describe("results of several hosts", () => {
  it("stand side by side, and a lane without one says so", () => {
    const results = [
      resultOf("linux x64 qemu/tcg", [boot]),
      resultOf("darwin arm64 vfkit/vz", [{ ...boot, value: 310, ratio: null, met: null }]),
    ];
    const text = renderPlatforms(mergePlatforms(results, listTestLanes()));
    expect(text).toContain("| cold-boot | 1234 ms, 1.20 × floor, met | 310 ms |");
    expect(text).toContain("- win32 x64 qemu/whpx: not run");
    expect(text).not.toContain("linux x64 qemu/tcg: not run");
  });

  it("never have a number that was not measured", () => {
    const results = [resultOf("a", [{ ...boot, value: null }]), resultOf("b", [])];
    const text = renderPlatforms(mergePlatforms(results, []));
    expect(text).toContain("| cold-boot | not measured | not measured |");
  });

  it("of one lane twice are refused", () => {
    const twice = [resultOf("a", []), resultOf("a", [])];
    expect(() => mergePlatforms(twice, [])).toThrow("two results are of a");
  });

  it("that are none are refused, whatever they are", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseResult(text, "x.json");
          return false;
        } catch (error) {
          return isLuminaGuardError(error, "USAGE");
        }
      }),
    );
  });
});
