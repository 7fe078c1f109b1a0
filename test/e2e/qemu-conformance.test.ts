import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { QemuHypervisor } from "../../src/vm/backends/qemu/qemu.ts";
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
  saves: { commands: "go on" },
});

test("a machine's process is the hypervisor and not its walls, as soon as there is a machine", async () => {
  await using lumina = await createLuminaGuard();
  for (let count = 0; count < 5; count += 1) {
    await using machine = await lumina.spawn({ image: "base", memoryMib: 128 });
    expect(readFileSync(`/proc/${machine.pid}/comm`, "utf8")).toMatch(/^qemu/);
  }
});

test("a template keeps nothing of what its machine's boot left in memory that nobody uses", async () => {
  await using lumina = await createLuminaGuard();
  await (await lumina.spawn({ image: "base", memoryMib: 128 })).stop();
  const { hypervisor } = await lumina.host.select(await lumina.host.openImage("base"));
  if (!(hypervisor instanceof QemuHypervisor)) throw new Error("QEMU is chosen here");
  const key = await hypervisor.templateKey(await baseSpec());
  const { blocks } = statSync(join(lumina.config.cacheDir, "templates", key, "ram"));
  // 96 MiB as the boot leaves it, 49 MiB of them in use
  expect(blocks * 512).toBeLessThan(70 * 1024 ** 2);
});

test("a large file that does not fit is refused and leaves nothing, and the machine goes on", async () => {
  await using lumina = await createLuminaGuard();
  await using machine = await lumina.spawn({ image: "base", memoryMib: 128 });
  await expect(machine.files.write("/tmp/f", Buffer.alloc(100 * 1024 ** 2))).rejects.toMatchObject({
    code: "GUEST_REFUSED",
    details: { code: "no-space" },
  });
  const { stdout } = await machine.exec(["ls", "-A", "/tmp"], { cwd: "/" });
  expect(stdout).toBe("");
});
