/**
 * The vfkit backend against a stand-in with vfkit's command line and REST service and a real guest behind
 * it (test/fixtures/stand-in-vfkit.mjs). Apple's framework has no part in this.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { VfkitHypervisor } from "../../src/vm/backends/vfkit/vfkit.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import { describeHypervisor } from "../conformance/describe-hypervisor.ts";
import { plantVfkit } from "../support/stand-in-vfkit.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describeHypervisor("vfkit, a stand-in", {
  create: (runtimeDir) => {
    const { searchPath } = plantVfkit(folder);
    const host = { processors: 8, memoryBytes: 8 * 1024 ** 3 };
    return new VfkitHypervisor({ runtimeDir, searchPath, host });
  },
  spec: async () => {
    await using lumina = await createLuminaGuard();
    return resolveVmSpec({ image: toVmImage(await lumina.host.openImage("base")), memoryMib: 128 });
  },
});
