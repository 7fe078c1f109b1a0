/**
 * What Windows gets, on Linux: the same hypervisor class and arguments, and the real QEMU, with only
 * the accelerator swapped.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { createGreeter } from "../../src/runtime/greeter.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { buildQemuArgs } from "../../src/vm/backends/qemu/qemu-args.ts";
import { WindowsQemu } from "../../src/vm/backends/qemu/windows-qemu.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { makeTempDir } from "../support/make-tree.ts";

const rngFile = "/sys/class/misc/hw_random/rng_current";
const whpx = "whpx,kernel-irqchip=off";

/** A QEMU that emulates where it is told to use WHPX. */
function plantSwapped(folder: string): string {
  const path = join(folder, "qemu");
  const swap = `for each in "$@"; do shift; [ "$each" = ${whpx} ] && each=tcg; set -- "$@" "$each"; done`;
  writeFileSync(path, `#!/bin/sh\n${swap}\nexec qemu-system-x86_64 "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

async function baseSpec(memoryMib = 192): Promise<VmSpec> {
  await using lumina = await createLuminaGuard();
  return resolveVmSpec({ image: toVmImage(await lumina.host.openImage("base")), memoryMib });
}

function createHypervisor(folder: string): WindowsQemu {
  const path = plantSwapped(folder);
  return new WindowsQemu({
    ...{ accelerator: "whpx", architecture: "x64", runtimeDir: join(folder, "run") },
    find: () => Promise.resolve({ path, version: "", fingerprint: "" }),
  });
}

test("a machine with the arguments for Windows boots, works, and ends when it is asked to", async () => {
  using temp = makeTempDir();
  const greeter = createGreeter();
  const vm = await createHypervisor(temp.path).spawn({ spec: await baseSpec(), greeter });
  const large = Buffer.alloc(8 * 1024 ** 2, "luminaguard");
  await greeter.wire().writeFile("/tmp/large", large);
  expect(large.equals(await greeter.wire().readFile("/tmp/large"))).toBe(true);
  const ask = greeter.wire().exec({ argv: ["cat", rngFile], cwd: "/" });
  let said = "";
  for await (const { data } of ask.output()) said += data.toString();
  expect(said).toMatch(/^virtio_rng/);
  expect(readdirSync(join(temp.path, "run", vm.id))).toEqual([]);
  await vm.stop();
  expect(await vm.exited).toMatchObject({ requested: true });
  expect(readdirSync(join(temp.path, "run"))).toEqual([]);
});

test("its owner stops it and lets it go on when a person says so", async () => {
  using temp = makeTempDir();
  const runtimeDir = join(temp.path, "run");
  const said: boolean[] = [];
  const greeter = createGreeter();
  const vm = await createHypervisor(temp.path).spawn({
    spec: await baseSpec(),
    greeter,
    onFrozen: (isFrozen) => said.push(isFrozen),
  });
  const mark = join(runtimeDir, `${vm.id}.frozen`);
  writeFileSync(mark, "");
  await expect.poll(() => existsSync(join(runtimeDir, `${vm.id}.held`))).toBe(true);
  await expect(greeter.wire().info({ timeoutMs: 1_000 })).rejects.toMatchObject({
    code: "TIMEOUT",
  });
  execFileSync("rm", [mark]);
  await expect.poll(() => said).toEqual([true, false]);
  expect((await greeter.wire().info()).protocol).toBe(1);
  await vm.kill();
  expect(readdirSync(runtimeDir)).toEqual([]);
});

test("every option for Windows is one that QEMU's help has", async () => {
  const help = execFileSync("qemu-system-x86_64", ["-help"], { encoding: "utf8" });
  const args = buildQemuArgs({
    spec: await baseSpec(),
    ...{ accelerator: "whpx", architecture: "x64", wirePath: "", incoming: false },
    loopback: { port: 1, keyFolder: "C:\\run" },
  });
  const options = args.filter((word) => /^-[a-z]/.test(word));
  expect(options.filter((option) => !new RegExp(`^${option}\\b`, "m").test(help))).toEqual([]);
  const ask = (...words: string[]): string =>
    execFileSync("qemu-system-x86_64", words, { encoding: "utf8" });
  expect(ask("-cpu", "help")).toMatch(/^(x86| ) Haswell-noTSX /m);
  for (const device of [
    "virtio-serial-pci",
    "virtserialport",
    "virtio-blk-pci",
    "virtio-rng-pci",
  ]) {
    expect(ask("-device", "help")).toContain(`"${device}"`);
  }
  for (const kind of ["tls-creds-psk", "rng-builtin"])
    expect(ask("-object", "help")).toContain(kind);
});
