/** arm64 machines on `-M virt`, emulated: an image built for another processor than the host's, booted and cloned. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { createGreeter } from "../../src/runtime/greeter.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { ManagedVm } from "../../src/vm/managed-vm.ts";
import { QemuHypervisor } from "../../src/vm/backends/qemu/qemu.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { TemplateStore } from "../../src/vm/template-store.ts";
import { openArm64Image } from "../support/arm64-image.ts";

let folder: string;
let spec: VmSpec;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-"));
  spec = resolveVmSpec({ image: toVmImage(await openArm64Image()), memoryMib: 192 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function emulate(templates?: TemplateStore): Promise<QemuHypervisor> {
  await using lumina = await createLuminaGuard();
  return new QemuHypervisor({
    accelerator: "tcg",
    architecture: "arm64",
    runtimeDir: join(folder, "run"),
    searchPath: "/usr/bin",
    tools: await lumina.host.confinement(),
    templates,
  });
}

test.each([
  ["boots", "cold"],
  ["is cloned from a template", "clone"],
])("an arm64 machine %s and runs commands", async (_, kind) => {
  const store = kind === "clone" ? new TemplateStore(join(folder, "templates")) : undefined;
  const hypervisor = await emulate(store);
  for (let n = 0; n < (kind === "clone" ? 2 : 1); n += 1) {
    const greeter = createGreeter();
    await using vm = new ManagedVm(hypervisor, { spec, greeter });
    const instance = await vm.boot();
    expect(instance.kind).toBe(kind);
    const command = greeter.wire().exec({ argv: ["uname", "-m"], cwd: "/" });
    let output = "";
    for await (const { data } of command.output()) output += data.toString();
    expect(output).toBe("aarch64\n");
    console.error(kind, instance.spawnTimeMs);
  }
});
