import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { describeHypervisor } from "../conformance/describe-hypervisor.ts";

async function baseSpec(): Promise<VmSpec> {
  await using lumina = await createLuminaGuard();
  return resolveVmSpec({ image: toVmImage(await lumina.host.openImage("base")), memoryMib: 128 });
}

describeHypervisor("qemu with templates", {
  create: async (runtimeDir) => {
    const lumina = await createLuminaGuard({ config: { runtimeDir } });
    return (await lumina.host.select(await lumina.host.openImage("base"))).hypervisor;
  },
  spec: baseSpec,
});
