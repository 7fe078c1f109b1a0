/**
 * arm64 machines on `-M virt`, emulated: an image built for another processor than the host's, booted, and
 * cloned through the whole conformance suite.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { createGreeter } from "../../src/runtime/greeter.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { QemuHypervisor } from "../../src/vm/backends/qemu/qemu.ts";
import { ManagedVm } from "../../src/vm/managed-vm.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { TemplateStore } from "../../src/vm/templates/template-store.ts";
import { describeHypervisor } from "../conformance/describe-hypervisor.ts";
import { openArm64Image } from "../support/arm64-image.ts";
import { removeTemplates } from "../support/remove-templates.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-"));
});
afterAll(() => removeTemplates(folder));

async function emulate(runtimeDir: string, templates?: TemplateStore): Promise<QemuHypervisor> {
  await using lumina = await createLuminaGuard();
  const tools = await lumina.host.confinement();
  const own = { accelerator: "tcg", architecture: "arm64", searchPath: "/usr/bin" } as const;
  return new QemuHypervisor({ ...own, runtimeDir, tools, templates });
}

async function arm64Spec(): Promise<VmSpec> {
  return resolveVmSpec({ image: toVmImage(await openArm64Image()), memoryMib: 192 });
}

test("an arm64 machine boots and is one", async () => {
  const greeter = createGreeter();
  const hypervisor = await emulate(join(folder, "run"));
  await using vm = new ManagedVm(hypervisor, { spec: await arm64Spec(), greeter });
  expect((await vm.boot()).kind).toBe("cold");
  const command = greeter.wire().exec({ argv: ["uname", "-m"], cwd: "/" });
  let output = "";
  for await (const { data } of command.output()) output += data.toString();
  expect(output).toBe("aarch64\n");
});

describeHypervisor("qemu on arm64 with templates", {
  create: (runtimeDir) => emulate(runtimeDir, new TemplateStore(join(folder, "templates"))),
  spec: arm64Spec,
});
