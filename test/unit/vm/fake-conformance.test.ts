import { FakeHypervisor } from "../../../src/vm/backends/fake/fake.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { startFakeGuest } from "../../../src/wire/fake-guest.ts";
import { describeHypervisor } from "../../conformance/describe-hypervisor.ts";

describeHypervisor("fake", {
  create: (runtimeDir) => new FakeHypervisor({ runtimeDir, startGuest: startFakeGuest }),
  spec: () =>
    resolveVmSpec({ image: { digest: "0".repeat(64), kernelPath: "", initramfsPath: "" } }),
});
