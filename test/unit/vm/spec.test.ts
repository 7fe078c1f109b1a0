import { describe, expect, it } from "vitest";
import { resolveVmSpec, vmLimits } from "../../../src/vm/spec.ts";

const image = { digest: "0".repeat(64), kernelPath: "/k", initramfsPath: "/i" };

describe("a machine's spec", () => {
  it("has its defaults", () => {
    expect(resolveVmSpec({ image })).toEqual({
      image,
      vcpus: 1,
      memoryMib: 512,
      bootTimeoutMs: 60_000,
      nic: "none",
      rosetta: false,
    });
  });

  it("is frozen, and no part of what the caller holds", () => {
    const own = { ...image };
    const spec = resolveVmSpec({ image: own });
    own.kernelPath = "/other";
    expect(spec.image.kernelPath).toBe("/k");
    expect(Object.isFrozen(spec) && Object.isFrozen(spec.image)).toBe(true);
  });

  it.each([
    ["memoryMib", vmLimits.memoryMibMin, vmLimits.memoryMibMax],
    ["vcpus", 1, vmLimits.vcpusMax],
    ["bootTimeoutMs", 1, vmLimits.bootTimeoutMsMax],
  ] as const)("holds %s from %i to %i and nothing else", (name, min, max) => {
    for (const value of [min, max]) {
      expect(resolveVmSpec({ image, [name]: value })).toMatchObject({ [name]: value });
    }
    for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, Infinity, -1, "8"]) {
      expect(() => resolveVmSpec({ image, [name]: value })).toThrow(
        expect.objectContaining({
          code: "CONFIG_INVALID",
          hint: `use a whole number from ${min} to ${max}`,
        }),
      );
    }
  });
});
