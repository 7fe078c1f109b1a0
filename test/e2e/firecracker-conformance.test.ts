/**
 * What every hypervisor must do, with Firecracker's backend: against a stand-in for its API that runs
 * real machines by emulation, everywhere; and against Firecracker itself where LUMINAGUARD_FIRECRACKER
 * names it and KVM runs machines.
 */
import { mkdtempSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PausableClock } from "../../src/base/clock.ts";
import { createDeferred } from "../../src/base/deferred.ts";
import { messageOf } from "../../src/errors.ts";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";
import { createGreeter } from "../../src/runtime/greeter.ts";
import { toVmImage } from "../../src/runtime/ground.ts";
import { KeptMachine } from "../../src/runtime/kept/kept-machine.ts";
import { serveSupervisor } from "../../src/runtime/kept/supervisor-server.ts";
import { MachineDesk } from "../../src/runtime/machine-desk.ts";
import { Machine } from "../../src/runtime/machine.ts";
import { FirecrackerHypervisor } from "../../src/vm/backends/firecracker/firecracker.ts";
import type { SavedMachine } from "../../src/vm/hypervisor.ts";
import { KernelStore } from "../../src/vm/kernel/kernel-store.ts";
import { ManagedVm } from "../../src/vm/managed-vm.ts";
import { SnapshotStore } from "../../src/vm/snapshots/snapshot-store.ts";
import { resolveVmSpec } from "../../src/vm/spec.ts";
import type { VmSpec } from "../../src/vm/spec.ts";
import { TemplateStore } from "../../src/vm/templates/template-store.ts";
import { describeHypervisor } from "../conformance/describe-hypervisor.ts";
import { plantFakeFirecracker } from "../support/fake-firecracker.ts";
import { removeTemplates } from "../support/remove-templates.ts";

const folder = mkdtempSync(join(tmpdir(), "lg-fire-"));
afterAll(() => removeTemplates(folder));

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

let isPlanted = false;

/** One program for all, and so one template. */
function createStandIn(runtimeDir: string): FirecrackerHypervisor {
  if (!isPlanted) plantFakeFirecracker(folder, { guest: "machine" });
  isPlanted = true;
  return new FirecrackerHypervisor({
    architecture: "x64",
    runtimeDir,
    searchPath: folder,
    tools: { asRoot: false, namespaces: false, groupParents: [] },
    kernels: new KernelStore(join(folder, "kernels")),
    templates: new TemplateStore(join(folder, "templates")),
    kvmPath: "/dev/null",
  });
}

describeHypervisor("firecracker with templates, on a stand-in that emulates its machines", {
  create: createStandIn,
  spec: baseSpec,
  saves: { commands: "are told" },
});

describe("a machine that stays, on Firecracker's stand-in", () => {
  const runtimeDir = join(folder, "run");
  const memory = { memoryMib: 128, vcpus: 1 };
  const snapshots = new SnapshotStore(join(folder, "state"), { countMax: 9, bytesMax: 2 ** 40 });
  let spec: VmSpec;
  const machines: Machine[] = [];
  beforeAll(async () => {
    spec = await baseSpec();
  });
  afterEach(async () => {
    await Promise.all(machines.splice(0).map((machine) => machine.stop()));
  });

  async function start(saved?: SavedMachine): Promise<Machine> {
    const memoryFolder = mkdtempSync(join(folder, "memory-"));
    const greeter = createGreeter(undefined, saved !== undefined);
    const wish = { spec, greeter, memoryFolder };
    const vm = new ManagedVm(createStandIn(runtimeDir), wish, saved);
    const facts = { backend: "firecracker", accelerator: "kvm", nic: spec.nic, canaries: [] };
    const machine = new Machine(vm, await vm.boot(), greeter.wire, {
      ...{ env: {}, facts, desk: new MachineDesk(runtimeDir), clock: new PausableClock() },
    });
    machines.push(machine);
    return machine;
  }

  async function hold(machine: Machine, name: string): Promise<KeptMachine & AsyncDisposable> {
    const socketPath = join(folder, `${name}.sock`);
    const stop = (): Promise<void> => machine.stop();
    const server = await serveSupervisor({ socketPath, name, machine, stop });
    const record = { ...memory, id: "m-000001", name, image: "base", env: {}, workspace: null };
    const kept = await KeptMachine.attach(
      {
        ...{
          folder: mkdtempSync(join(folder, "kept-")),
          state: "running",
          reason: null,
          doubt: null,
        },
        record: { ...record, version: 1, checkpoint: "never", parent: null, createdAt: "" },
        run: undefined,
      },
      socketPath,
    );
    return Object.assign(kept, {
      [Symbol.asyncDispose]: async (): Promise<void> => {
        kept[Symbol.dispose]();
        await server.close();
      },
    });
  }

  it("is saved and forked over its supervisor, its commands are told, and what was changed is refused", async () => {
    const origin = await start();
    await using work = await hold(origin, "work");
    const { exitCode } = await work.exec(["sh", "-c", "echo first >/tmp/state"], { cwd: "/" });
    expect(exitCode).toBe(0);
    const begun = createDeferred<undefined>();
    const waiting = work.exec(["sh", "-c", "echo begun; sleep 60"], { cwd: "/" });
    const told = expect(
      (async () => {
        for await (const { data } of waiting.output)
          if (String(data) === "begun\n") begun.resolve(undefined);
      })(),
    ).rejects.toMatchObject({
      code: "WIRE_RESET",
      message: expect.stringContaining("work") as unknown,
    });
    await begun.promise;
    const draft = await snapshots.draft();
    const { key } = await work.save(draft.folder);
    await told;
    const machine = { id: "m-000001", name: "work" };
    const facts = { ...memory, machine, name: "first", kind: "asked", parent: null, key } as const;
    const { id, bytes } = await draft.publish(facts, false);
    expect(bytes, "what the machine never touched takes no room").toBeLessThan(100 * 1024 ** 2);
    await work.exec(["sh", "-c", "echo later >/tmp/state"], { cwd: "/" });
    {
      await using opened = await snapshots.open(id);
      const fork = await start(opened.saved);
      const { stdout } = await fork.exec(["cat", "/tmp/state"], { cwd: "/" });
      expect(stdout).toBe("first\n");
    }
    expect((await work.exec(["cat", "/tmp/state"], { cwd: "/" })).stdout).toBe("later\n");
    const path = join(folder, "state", "snapshots", id, "memory");
    const file = await open(path, "r+");
    await file.write(Buffer.from("x"), 0, 1, 64 * 1024 ** 2);
    await file.close();
    await expect(snapshots.open(id)).rejects.toMatchObject({ code: "SNAPSHOT_INVALID" });
  });
});
