/**
 * What every hypervisor must do, with Firecracker's backend: against a stand-in for its API that runs
 * real machines by emulation, everywhere; and against Firecracker itself where LUMINAGUARD_FIRECRACKER
 * names it and KVM runs machines.
 */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";
import { messageOf } from "../../src/errors.ts";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { createGreeter } from "../../src/runtime/greeter.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { FirecrackerHypervisor } from "../../src/vm/backends/firecracker/firecracker.ts";
import { KernelStore } from "../../src/vm/kernel/kernel-store.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { TemplateStore } from "../../src/vm/template-store.ts";
import { describeHypervisor } from "../conformance/describe-hypervisor.ts";
import { plantFakeFirecracker } from "../support/fake-firecracker.ts";

const folder = mkdtempSync(join(tmpdir(), "lg-fire-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function baseSpec(): Promise<VmSpec> {
  await using lumina = await createLuminaGuard();
  return resolveVmSpec({ image: toVmImage(await lumina.host.openImage("base")), memoryMib: 128 });
}

const binary = process.env["LUMINAGUARD_FIRECRACKER"];
const reason =
  binary === undefined ? "LUMINAGUARD_FIRECRACKER names no binary" : await tryIt(binary);
if (reason !== undefined) console.warn(`skipped: conformance of Firecracker itself: ${reason}`);

function createReal(runtimeDir: string, path: string): FirecrackerHypervisor {
  return new FirecrackerHypervisor({
    architecture: process.arch === "arm64" ? "arm64" : "x64",
    runtimeDir,
    searchPath: dirname(path),
    tools: { asRoot: false, namespaces: true, groupParents: [] },
    kernels: new KernelStore(join(folder, "kernels")),
    templates: new TemplateStore(join(folder, "real-templates")),
  });
}

/** Boots one machine: why it does not, or nothing. */
async function tryIt(path: string): Promise<string | undefined> {
  try {
    const spec = resolveVmSpec({ ...(await baseSpec()), bootTimeoutMs: 5_000 });
    const hypervisor = createReal(join(folder, "try"), path);
    const vm = await hypervisor.spawn({ spec, greeter: createGreeter() });
    await vm.kill();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

if (binary !== undefined && reason === undefined) {
  describeHypervisor("firecracker itself, with templates", {
    create: (runtimeDir) => createReal(runtimeDir, binary),
    spec: baseSpec,
    saves: { commands: "are told" },
  });
}

describeHypervisor("firecracker with templates, on a stand-in that emulates its machines", {
  create: (runtimeDir) => {
    plantFakeFirecracker(folder, { guest: "machine" });
    return new FirecrackerHypervisor({
      architecture: "x64",
      runtimeDir,
      searchPath: folder,
      tools: { asRoot: false, namespaces: false, groupParents: [] },
      kernels: new KernelStore(join(folder, "kernels")),
      templates: new TemplateStore(join(folder, "templates")),
      kvmPath: "/dev/null",
    });
  },
  spec: baseSpec,
  saves: { commands: "are told" },
});
