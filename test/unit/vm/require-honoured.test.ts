import { describe, expect, it } from "vitest";
import { QemuHypervisor } from "../../../src/vm/backends/qemu/qemu.ts";
import { refuseNic, refuseRosetta, requireHonoured } from "../../../src/vm/require-honoured.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";

const image = { digest: "0".repeat(64), kernelPath: "", initramfsPath: "" };
const plain = resolveVmSpec({ image });

describe("what a backend cannot honour", () => {
  it("is named as a person asked for it, all of it at once", () => {
    const spec = resolveVmSpec({ image, nic: "user", rosetta: true });
    const check = (): readonly string[] => [...refuseNic(spec), ...refuseRosetta(spec)];
    expect(() => requireHonoured({ name: "some", check }, spec)).toThrow(
      expect.objectContaining({
        code: "SPEC_REFUSED",
        message: expect.stringMatching(/^some cannot .*--nic user.*; .*--rosetta/) as unknown,
      }),
    );
    expect([...refuseNic(plain), ...refuseRosetta(plain)]).toEqual([]);
  });

  it("is Rosetta for QEMU on every processor", () => {
    for (const architecture of ["x64", "arm64"] as const) {
      const qemu = new QemuHypervisor({
        ...{ architecture, accelerator: "tcg", runtimeDir: "/r", searchPath: "" },
        tools: {} as never,
      });
      expect(qemu.check(resolveVmSpec({ image, rosetta: true }))).toHaveLength(1);
      expect(qemu.check(plain)).toEqual([]);
    }
  });
});
