/**
 * Rosetta in an emulated arm64 machine. Apple's translator is only on Macs: another program stands in for
 * it, shared as the framework shares Rosetta, by virtio-fs under the same tag.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProgram } from "../../src/process/run-program.ts";
import { createGreeter } from "../../src/runtime/greeter.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { QemuHypervisor } from "../../src/vm/backends/qemu/qemu.ts";
import { ManagedVm } from "../../src/vm/managed-vm.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import { openArm64Image } from "../support/arm64-image.ts";
import { eventually } from "../support/eventually.ts";

const sharer = "/usr/lib/qemu/virtiofsd";
const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/local/go/bin` };
const hasGo = await runProgram("go", ["version"], { env }).then(
  () => true,
  () => false,
);
const missing = [...(existsSync(sharer) ? [] : [sharer]), ...(hasGo ? [] : ["Go"])];
if (missing.length > 0) console.warn(`Rosetta is not tried: no ${missing.join(", no ")}`);

const translator = `package main

import "fmt"
import "os"

func main() { fmt.Println("translated", os.Args[1:]) }
`;
/** the head of a program for another processor, and no more of it */
const head = (machine: number): Buffer => {
  const elf = Buffer.alloc(64);
  elf.write("\x7fELF\x02\x01\x01", "latin1");
  elf.writeUInt16LE(2, 16); // ET_EXEC
  elf.writeUInt16LE(machine, 18);
  return elf;
};
const [intel, power] = [62, 21]; // EM_X86_64, EM_PPC64

let folder: string;
let sharing: ChildProcess;

beforeAll(async () => {
  if (missing.length > 0) return;
  folder = await mkdtemp(join(tmpdir(), "lg-"));
  for (const name of ["share", "bin", "memory"]) mkdirSync(join(folder, name), { mode: 0o700 });
  writeFileSync(join(folder, "main.go"), translator);
  const target = { ...env, GOARCH: "arm64", CGO_ENABLED: "0" };
  const build = ["build", "-o", join(folder, "share/rosetta"), join(folder, "main.go")];
  await runProgram("go", build, { env: target, timeoutMs: 120_000 });
  const socket = join(folder, "fs.sock");
  sharing = spawn(
    sharer,
    [`--socket-path=${socket}`, "-o", `source=${join(folder, "share")}`, "-o", "sandbox=chroot"],
    { stdio: "ignore" },
  );
  await eventually("the folder is shared", () => existsSync(socket));
  const device = `-chardev socket,id=fs,path=${socket} -device vhost-user-fs-pci,chardev=fs,tag=rosetta`;
  const qemu = join(folder, "bin/qemu-system-aarch64");
  writeFileSync(qemu, `#!/bin/sh\nexec /usr/bin/qemu-system-aarch64 "$@" ${device}\n`);
  chmodSync(qemu, 0o755);
});
afterAll(async () => {
  if (missing.length > 0) return;
  if (sharing.exitCode === null && sharing.kill("SIGKILL")) await once(sharing, "exit");
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(missing.length > 0)("a machine with Rosetta (needs virtiofsd, Go, root)", () => {
  test("runs programs for x86-64 with it and no others, and sees nothing of the share", async () => {
    const greeter = createGreeter();
    const hypervisor = new QemuHypervisor({
      ...{ accelerator: "tcg", architecture: "arm64", searchPath: join(folder, "bin") },
      runtimeDir: join(folder, "run"),
      tools: { asRoot: false, namespaces: false, groupParents: [] },
    });
    const spec = resolveVmSpec({ image: toVmImage(await openArm64Image()), memoryMib: 192 });
    const memoryFolder = join(folder, "memory"); // a file that whoever shares the folder can map
    await using vm = new ManagedVm(hypervisor, { spec, greeter, memoryFolder });
    await vm.boot();
    const run = async (...argv: readonly string[]): Promise<string> => {
      const command = greeter.wire().exec({ argv, cwd: "/" });
      let output = "";
      for await (const { data } of command.output()) output += data.toString();
      return output;
    };
    for (const [name, machine] of Object.entries({ intel, power })) {
      const text = [...head(machine)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`);
      await run("sh", "-c", `printf '${text.join("")}' > /tmp/${name}; chmod +x /tmp/${name}`);
    }
    expect(await run("/tmp/intel", "a", "b c")).toBe("translated [/tmp/intel a b c]\n");
    expect(await run("sh", "-c", "/tmp/power 2>&1 || echo refused")).toContain("refused");
    expect(await run("uname", "-m")).toBe("aarch64\n");
    expect(await run("grep", "-c", "-E", "virtiofs|binfmt_misc", "/proc/mounts")).toBe("0\n");
  });
});
