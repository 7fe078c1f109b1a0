/** Firecracker as a hypervisor, with a stand-in for it: processes, sockets, API and files are real. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGreeter } from "../../../src/runtime/greeter.ts";
import { FirecrackerHypervisor } from "../../../src/vm/backends/firecracker/firecracker.ts";
import type { SpawnConfig, VmInstance } from "../../../src/vm/hypervisor.ts";
import { KernelStore } from "../../../src/vm/kernel/kernel-store.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { TemplateStore } from "../../../src/vm/template-store.ts";
import { plantFakeFirecracker } from "../../support/fake-firecracker.ts";
import type { FakeFirecrackerOptions } from "../../support/fake-firecracker.ts";
import { makeTempDir } from "../../support/make-tree.ts";

interface Bench extends Disposable {
  readonly folder: string;
  readonly hypervisor: FirecrackerHypervisor;
  /** the command line of each start */
  readonly starts: () => readonly string[];
  readonly phases: string[];
  readonly spawn: (signal?: AbortSignal) => Promise<VmInstance>;
  /** what is in the folders of machines and templates */
  readonly left: () => readonly string[];
  /** another program in its place */
  readonly become: (options: FakeFirecrackerOptions) => void;
}

function createBench(
  options: FakeFirecrackerOptions & { templates?: boolean; bootTimeoutMs?: number } = {},
): Bench {
  const temp = makeTempDir();
  const folder = temp.path;
  const [runtimeDir, templatesDir] = [join(folder, "run"), join(folder, "templates")];
  const { starts } = plantFakeFirecracker(folder, options);
  const path = (name: string): string => join(folder, name);
  writeFileSync(path("kernel"), "\x7fELF and more");
  writeFileSync(path("initramfs"), "");
  writeFileSync(path("layer"), "");
  const hypervisor = new FirecrackerHypervisor({
    architecture: "x64",
    runtimeDir,
    searchPath: folder,
    tools: { asRoot: false, namespaces: false, groupParents: [] },
    kernels: new KernelStore(path("kernels")),
    templates: options.templates === true ? new TemplateStore(templatesDir) : undefined,
    kvmPath: "/dev/null",
  });
  const phases: string[] = [];
  const config = (): SpawnConfig => ({
    spec: resolveVmSpec({
      image: {
        digest: "0".repeat(64),
        kernelPath: path("kernel"),
        initramfsPath: path("initramfs"),
        layerPath: path("layer"),
      },
      memoryMib: 96,
      bootTimeoutMs: options.bootTimeoutMs,
    }),
    greeter: createGreeter(),
    onPhase: (phase) => phases.push(phase),
  });
  const list = (where: string): string[] => (existsSync(where) ? readdirSync(where) : []);
  return {
    ...{ folder, hypervisor, starts, phases },
    spawn: (signal) => hypervisor.spawn(config(), signal),
    left: () => [...list(runtimeDir), ...list(templatesDir)],
    become: (other) => plantFakeFirecracker(folder, other),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

describe("a Firecracker machine", () => {
  it("boots, is greeted, ends when it is told to, and leaves nothing", async () => {
    using bench = createBench();
    const vm = await bench.spawn();
    expect(vm).toMatchObject({ kind: "cold", id: expect.stringMatching(/^vm-/) as unknown });
    expect(bench.phases).toEqual(["booting"]);
    await vm.stop();
    expect(await vm.exited).toMatchObject({ requested: true });
    expect(bench.left()).toEqual([]);
  });

  it("is a clone of a template that is made once", async () => {
    using bench = createBench({ templates: true });
    const [one, other] = [await bench.spawn(), await bench.spawn()];
    expect([one.kind, other.kind]).toEqual(["clone", "clone"]);
    expect(bench.phases).toEqual(["freezing template", "cloning", "cloning"]);
    expect(bench.starts()).toHaveLength(3);
    await Promise.all([one.kill(), other.kill()]);
    expect(bench.left()).toHaveLength(1);
  });

  it.each(["1.10.1", "1.12.0", "1.15.1"])("is a clone with version %s too", async (version) => {
    using bench = createBench({ templates: true, version });
    const vm = await bench.spawn();
    expect(vm.kind).toBe("clone");
    await vm.kill();
  });

  it.each(["no-load", "load-dies"])(
    "boots, once, where its template's load fails (%s), and the template is gone",
    async (fault) => {
      using bench = createBench({ templates: true, fault });
      const vm = await bench.spawn();
      expect(vm.kind).toBe("cold");
      expect(bench.phases).toEqual(["freezing template", "cloning", "booting"]);
      await vm.kill();
      expect(bench.left()).toEqual([]);
    },
  );

  it.each([
    ["dies", "VM_BOOT_FAILED", /did not start: Error: not on this host/],
    ["dies-late", "VM_BOOT_FAILED", /exit code 3/],
    ["no-kvm", "HYPERVISOR_REFUSED", /refused PUT \/actions: Kvm error/],
    ["no-create", "HYPERVISOR_REFUSED", /No space left/],
  ])("fails where it %s, with its reason, and leaves nothing", async (fault, code, message) => {
    using bench = createBench({ templates: fault === "no-create", fault });
    await expect(bench.spawn()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
    expect(bench.left()).toEqual([]);
  });

  it("that starts and never answers ends at its deadline, and leaves nothing", async () => {
    using bench = createBench({ fault: "hangs", bootTimeoutMs: 1_000 });
    await expect(bench.spawn()).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(bench.left()).toEqual([]);
  });

  it("goes on when its API is gone, and can be ended", async () => {
    using bench = createBench({ fault: "api-gone" });
    const vm = await bench.spawn();
    await vm.stop();
    expect(await vm.exited).toMatchObject({ requested: true });
    expect(bench.left()).toEqual([]);
  });

  it("that is killed from outside is told of, and leaves nothing", async () => {
    using bench = createBench();
    const vm = await bench.spawn();
    process.kill(vm.pid, "SIGKILL");
    expect(await vm.exited).toMatchObject({
      requested: false,
      reason: "the hypervisor ended (SIGKILL)",
    });
    expect(bench.left()).toEqual([]);
  });

  it("whose start is called off ends with the caller's reason and leaves nothing", async () => {
    using bench = createBench({ fault: "mute" });
    const reason = new Error("enough");
    const over = new AbortController();
    const spawning = bench.spawn(over.signal);
    setTimeout(() => over.abort(reason), 300);
    await expect(spawning).rejects.toBe(reason);
    expect(bench.left()).toEqual([]);
  });

  it("is refused with a version whose API is another", async () => {
    using bench = createBench({ version: "1.9.1" });
    expect(await bench.hypervisor.probe()).toMatchObject({
      kind: "unavailable",
      reason: "Firecracker 1.9.1 is too old; 1.10.0 is needed",
    });
  });
});
