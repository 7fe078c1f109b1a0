/** Firecracker as a hypervisor, with a stand-in for it: processes, sockets, API and files are real. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGreeter } from "../../../src/runtime/greeter.ts";
import { FirecrackerHypervisor } from "../../../src/vm/backends/firecracker/firecracker.ts";
import { readState } from "../../../src/vm/backends/firecracker/save.ts";
import type { SavedMachine, SpawnConfig, VmInstance } from "../../../src/vm/hypervisor.ts";
import { KernelStore } from "../../../src/vm/kernel/kernel-store.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { TemplateStore } from "../../../src/vm/templates/template-store.ts";
import type { WireClient } from "../../../src/wire/wire-client.ts";
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
  /** a machine that can be saved, on its own or from what was saved */
  readonly keep: (saved?: SavedMachine) => Promise<Kept>;
  /** an empty private folder */
  readonly folderFor: (name: string) => string;
  /** what is in the folders of machines and templates */
  readonly left: () => readonly string[];
  /** another program in its place */
  readonly become: (options: FakeFirecrackerOptions) => void;
}

interface Kept {
  readonly vm: VmInstance;
  readonly wire: () => WireClient;
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
  const folderFor = (name: string): string => mkdtempSync(join(folder, `${name}-`));
  const keep = async (saved?: SavedMachine): Promise<Kept> => {
    const greeter = createGreeter(undefined, saved !== undefined);
    const wish = { ...config(), greeter, memoryFolder: folderFor("memory") };
    const vm = await (saved === undefined
      ? hypervisor.spawn(wish)
      : hypervisor.restore(saved, wish));
    return { vm, wire: greeter.wire };
  };
  const list = (where: string): string[] => (existsSync(where) ? readdirSync(where) : []);
  return {
    ...{ folder, hypervisor, starts, phases, keep, folderFor },
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

describe("a Firecracker machine that is saved", () => {
  it("goes on with another wire, and what was saved is another machine, with a template or without", async () => {
    for (const templates of [false, true]) {
      using bench = createBench({ templates });
      const { vm, wire } = await bench.keep();
      const before = wire();
      const folder = bench.folderFor("saved");
      const save = await vm.save?.(folder);
      expect(readdirSync(folder).sort()).toEqual(["memory", "state"]);
      expect(wire()).not.toBe(before);
      expect((await wire().info()).protocol).toBe(1);
      await expect(before.info()).rejects.toMatchObject({ code: "WIRE_BROKEN" });
      const key = save?.key ?? expect.unreachable("it can be saved");
      const restored = await bench.keep({ folder, key });
      expect(restored.vm).toMatchObject({ kind: "restored" });
      expect(bench.phases.at(-1)).toBe("restoring");
      await Promise.all([vm.kill(), restored.vm.kill()]);
    }
  });

  it("goes on where there is no room for it", async () => {
    using bench = createBench({ fault: "no-create" });
    const { vm, wire } = await bench.keep();
    await expect(vm.save?.(bench.folderFor("saved"))).rejects.toMatchObject({
      code: "HOST_LIMIT",
      message: expect.stringContaining("No space left on device") as unknown,
    });
    expect((await wire().info()).protocol).toBe(1);
    await vm.kill();
  });

  it("goes on when whoever saved it changed their mind", async () => {
    using bench = createBench();
    const { vm, wire } = await bench.keep();
    const over = new AbortController();
    const saving = vm.save?.(bench.folderFor("saved"), over.signal);
    over.abort(new Error("never mind"));
    await expect(saving).rejects.toThrow("never mind");
    expect((await wire().info()).protocol).toBe(1);
    await vm.kill();
  });

  it("ends, and says why, where it cannot go on", async () => {
    using bench = createBench({ fault: "no-resume" });
    const { vm } = await bench.keep();
    await expect(vm.save?.(bench.folderFor("saved"))).rejects.toMatchObject({ code: "VM_GONE" });
    expect(await vm.exited).toMatchObject({
      requested: false,
      reason: expect.stringContaining("did not go on after a save") as unknown,
    });
    expect(bench.left()).toEqual([]);
  });

  it("is not restored by another version", async () => {
    using bench = createBench();
    const { vm } = await bench.keep();
    const folder = bench.folderFor("saved");
    const { key } = (await vm.save?.(folder)) ?? expect.unreachable("it can be saved");
    await vm.kill();
    using other = createBench({ version: "1.15.1" });
    await expect(other.keep({ folder, key })).rejects.toMatchObject({
      code: "SNAPSHOT_MISMATCH",
      details: { part: "version", saved: "1.16.1", here: "1.15.1" },
    });
    expect(other.left()).toEqual([]);
  });

  it("is not restored where its load fails, which leaves nothing", async () => {
    using bench = createBench();
    const { vm } = await bench.keep();
    const folder = bench.folderFor("saved");
    const { key } = (await vm.save?.(folder)) ?? expect.unreachable("it can be saved");
    await vm.kill();
    for (const fault of ["no-load", "load-dies"]) {
      bench.become({ fault });
      await expect(bench.keep({ folder, key })).rejects.toThrow();
      expect(bench.left()).toEqual([]);
    }
  });

  it("has its devices read from a plain file only, which a machine that broke out could replace", async () => {
    using temp = makeTempDir();
    const at = (name: string): string => join(temp.path, name);
    writeFileSync(at("plain"), "devices");
    symlinkSync("/etc/passwd", at("link"));
    execFileSync("mkfifo", [at("fifo")]);
    expect(String(await readState(at("plain")))).toBe("devices");
    await expect(readState(at("link"))).rejects.toMatchObject({ code: "ELOOP" });
    await expect(readState(at("fifo"))).rejects.toMatchObject({ code: "WIRE_BROKEN" });
  });
});
