/**
 * The vfkit backend against a stand-in with vfkit's command line and REST service and a real guest behind
 * it (test/fixtures/stand-in-vfkit.mjs). Apple's framework has no part in this.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { findByArgument } from "../../src/process/process-identity.ts";
import { tether } from "../../src/process/tethered.ts";
import { buildVfkitArgs } from "../../src/vm/backends/vfkit/vfkit-args.ts";
import { VfkitHypervisor } from "../../src/vm/backends/vfkit/vfkit.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { describeHypervisor } from "../conformance/describe-hypervisor.ts";
import { eventually } from "../support/eventually.ts";
import { plantVfkit } from "../support/stand-in-vfkit.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lg-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describeHypervisor("vfkit, a stand-in", {
  create: (runtimeDir) => {
    const { searchPath } = plantVfkit(folder);
    const host = { processors: 8, memoryBytes: 8 * 1024 ** 3, architecture: "arm64" };
    return new VfkitHypervisor({ runtimeDir, searchPath, host });
  },
  spec: baseSpec,
});

async function baseSpec(): Promise<VmSpec> {
  await using lumina = await createLuminaGuard();
  return resolveVmSpec({ image: toVmImage(await lumina.host.openImage("base")), memoryMib: 128 });
}

test("nothing of a machine outlives a host that is killed without warning", async () => {
  const { searchPath } = plantVfkit(folder);
  const own = join(folder, "own");
  await mkdir(own);
  const paths = { wire: `${own}/w.sock`, rest: `${own}/r.sock`, console: `${own}/console` };
  const args = buildVfkitArgs(await baseSpec(), paths);
  const command = tether([join(searchPath, "vfkit"), ...args], 0);
  const script = `const [file, ...args] = ${JSON.stringify(command)};
    require("node:child_process").spawn(file, args, {
      stdio: ["ignore", "ignore", "inherit", "pipe"], detached: true });`;
  const host = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "ignore", "inherit"] });
  await eventually("the machine runs", () => existsSync(paths.wire));
  // the process between, the stand-in, and the emulator behind it
  expect((await findByArgument(own)).length).toBeGreaterThanOrEqual(3);
  host.kill("SIGKILL");
  await eventually("all are gone", async () => (await findByArgument(own)).length === 0);
});
