/** QEMU as a hypervisor, with a program in QEMU's place: processes, sockets and files are real. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGreeter } from "../../../src/runtime/greeter.ts";
import { QemuHypervisor } from "../../../src/vm/backends/qemu/qemu.ts";
import type { SaveKey, SavedMachine, SpawnConfig, VmInstance } from "../../../src/vm/hypervisor.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { TemplateStore } from "../../../src/vm/templates/template-store.ts";
import { eventually } from "../../support/eventually.ts";
import { plantFakeQemu } from "../../support/fake-qemu.ts";
import type { FakeQemuOptions } from "../../support/fake-qemu.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const image = { digest: "0".repeat(64), kernelPath: "/k", initramfsPath: "/i" };

interface Bench extends Disposable {
  readonly hypervisor: QemuHypervisor;
  /** the command line of each start */
  readonly starts: () => readonly string[];
  readonly phases: string[];
  readonly spawn: (signal?: AbortSignal, wish?: Partial<SpawnConfig>) => Promise<VmInstance>;
  readonly restore: (saved: SavedMachine, wish?: Partial<SpawnConfig>) => Promise<VmInstance>;
  readonly folder: (name: string) => string;
  /** what is in the folders of machines and templates */
  readonly left: () => readonly string[];
  readonly templatesDir: string;
}

function createBench(
  options: FakeQemuOptions & { templates?: boolean; tethered?: boolean } = {},
): Bench {
  const temp = makeTempDir();
  const [runtimeDir, templatesDir] = [join(temp.path, "run"), join(temp.path, "templates")];
  const { starts } = plantFakeQemu(temp.path, options);
  const templates = options.templates === true ? new TemplateStore(templatesDir) : undefined;
  const hypervisor = new QemuHypervisor({
    accelerator: "tcg",
    architecture: "x64",
    runtimeDir,
    searchPath: temp.path,
    tools: { asRoot: false, namespaces: false, tethered: options.tethered, groupParents: [] },
    templates,
  });
  const phases: string[] = [];
  const config = (): SpawnConfig => ({
    spec: resolveVmSpec({ image, memoryMib: 96 }),
    greeter: createGreeter(),
    onPhase: (phase) => phases.push(phase),
  });
  const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  return {
    hypervisor,
    starts,
    phases,
    spawn: (signal, wish) => hypervisor.spawn({ ...config(), ...wish }, signal),
    restore: (saved, wish) => hypervisor.restore(saved, { ...config(), ...wish }),
    folder: (name) => {
      const path = join(temp.path, name);
      mkdirSync(path, { mode: 0o700 });
      return path;
    },
    left: () => [...list(runtimeDir), ...list(templatesDir)],
    templatesDir,
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

describe("a QEMU machine", () => {
  it("boots, is greeted, ends when it is asked to, and leaves nothing", async () => {
    using bench = createBench();
    const vm = await bench.spawn();
    expect(vm).toMatchObject({ kind: "cold", id: expect.stringMatching(/^vm-/) as unknown });
    expect(vm.pid).toBeGreaterThan(1);
    expect(bench.phases).toEqual(["booting"]);
    await vm.stop();
    expect(await vm.exited).toEqual({
      requested: true,
      reason: "the hypervisor ended (exit code 0)",
    });
    expect(bench.left()).toEqual([]);
  });

  it("boots, is cloned and ends on macOS, where nothing of Linux's walls is asked for", async () => {
    using bench = createBench({ tethered: true, templates: true });
    for (const kind of ["clone", "clone"]) {
      const vm = await bench.spawn();
      expect(vm.kind).toBe(kind);
      await vm.stop();
      expect(await vm.exited).toEqual({
        requested: true,
        reason: "the hypervisor ended (exit code 0)",
      });
    }
    expect(bench.starts().length).toBe(3);
    expect(bench.starts().join(" ")).not.toContain("-sandbox");
  });

  it("is taken away when it does not listen", async () => {
    using bench = createBench({ fault: "deaf" });
    const vm = await bench.spawn();
    void vm.stop();
    await vm.kill();
    expect(await vm.exited).toMatchObject({ requested: true });
    expect(bench.left()).toEqual([]);
  });

  it("that cannot start says why, in QEMU's words, and leaves nothing", async () => {
    using bench = createBench({ fault: "dies" });
    await expect(bench.spawn()).rejects.toMatchObject({
      code: "VM_BOOT_FAILED",
      message: expect.stringContaining("-accel tcg,tb-size=64: not on this host") as unknown,
    });
    expect(bench.left()).toEqual([]);
  });

  it("that ends while it boots says so, and leaves nothing", async () => {
    using bench = createBench({ fault: "dies-late" });
    await expect(bench.spawn()).rejects.toMatchObject({ code: "VM_BOOT_FAILED" });
    expect(bench.left()).toEqual([]);
  });

  it("ends with the caller's own reason, and leaves nothing", async () => {
    using bench = createBench({ templates: true });
    const over = new AbortController();
    const reason = new Error("enough");
    const spawning = bench.spawn(over.signal);
    setTimeout(() => over.abort(reason), 50);
    await expect(spawning).rejects.toBe(reason);
    expect(bench.left()).toEqual([]);
  });

  it("is refused more processors than its machine type has", async () => {
    using bench = createBench();
    const spec = resolveVmSpec({ image, vcpus: 17 });
    await expect(bench.hypervisor.spawn({ spec, greeter: createGreeter() })).rejects.toMatchObject({
      code: "SPEC_REFUSED",
    });
    expect(bench.starts()).toEqual([]);
  });
});

describe("a QEMU machine with templates", () => {
  it("is a clone of one that was booted once and frozen", async () => {
    using bench = createBench({ templates: true });
    const first = await bench.spawn();
    const second = await bench.spawn();
    expect([first.kind, second.kind]).toEqual(["clone", "clone"]);
    expect(bench.phases).toEqual(["freezing template", "cloning", "cloning"]);
    const [frozen = "", ...clones] = bench.starts();
    expect(frozen).toContain(",share=on");
    expect(frozen).not.toContain("-incoming");
    for (const clone of clones) expect(clone).toMatch(/,readonly=on.* -incoming defer/);
    await Promise.all([first.kill(), second.kill()]);
    expect(bench.left()).toHaveLength(1);
  });

  it("freezes once for all that are asked for at the same time", async () => {
    using bench = createBench({ templates: true });
    const machines = await Promise.all([bench.spawn(), bench.spawn()]);
    expect(bench.starts().filter((line) => line.includes("share=on"))).toHaveLength(1);
    await Promise.all(machines.map((vm) => vm.kill()));
  });

  it("has its template's memory hashed at its end where QEMU could write it", async () => {
    using bench = createBench({ templates: true, version: "7.2.22" });
    const vm = await bench.spawn();
    expect(bench.starts()[1]).toContain(",share=off");
    expect(bench.starts()[1]).not.toContain("readonly=on,rom");
    await vm.kill();
    const [key = ""] = readdirSync(bench.templatesDir);
    const audit = join(bench.templatesDir, key, "audit");
    await eventually("the audit's verdict", () => existsSync(audit), 8_000);
  });

  it("that cannot be frozen fails, and leaves nothing", async () => {
    using bench = createBench({ templates: true, fault: "no-freeze" });
    await expect(bench.spawn()).rejects.toMatchObject({
      code: "VM_BOOT_FAILED",
      message: "freezing the machine ended as failed",
    });
    expect(bench.left()).toEqual([]);
  });

  it("has another template for everything that could change it", async () => {
    using bench = createBench();
    const key = (more: object): Promise<string> =>
      bench.hypervisor.templateKey(resolveVmSpec({ image, ...more }));
    const keys = await Promise.all([
      key({}),
      key({ memoryMib: 256 }),
      key({ vcpus: 2 }),
      key({ image: { ...image, digest: "1".repeat(64) } }),
    ]);
    expect(new Set(keys).size).toBe(4);
    expect(await key({ image: { ...image, kernelPath: "/elsewhere/k" } })).toBe(keys[0]);
  });
});

describe("probing QEMU", () => {
  it("says its version, or why it cannot be used and what to do", async () => {
    using bench = createBench({ version: "9.2.1" });
    using old = createBench({ version: "6.0.0" });
    expect(await bench.hypervisor.probe()).toEqual({ kind: "ready", version: "9.2.1" });
    expect(await old.hypervisor.probe()).toEqual({
      kind: "unavailable",
      reason: "QEMU 6.0.0 is too old; 7.2.0 is needed",
      fix: "install it: sudo apt-get install qemu-system-x86",
    });
  });
});

describe("a QEMU machine with memory of its own", () => {
  it("is saved while it runs, and goes on in another machine", async () => {
    using bench = createBench({ templates: true });
    const memoryFolder = bench.folder("memory");
    const vm = await bench.spawn(undefined, { memoryFolder });
    expect(bench.starts().at(-1)).toContain(`mem-path=${memoryFolder}/ram,share=on`);
    writeFileSync(join(memoryFolder, "ram"), "what it remembers");
    const folder = bench.folder("saved");
    const save = await vm.save?.(folder);
    expect(save?.key).toMatchObject({ backend: "qemu/tcg", version: "10.0.0" });
    expect(save?.stopMs).toBeGreaterThan(0);
    expect(readdirSync(folder).sort()).toEqual(["ram", "state"]);
    const other = bench.folder("other");
    const key = save?.key as SaveKey;
    const restored = await bench.restore({ folder, key }, { memoryFolder: other });
    expect(restored.kind).toBe("restored");
    expect(readFileSync(join(other, "ram"), "utf8")).toBe("what it remembers");
    expect(bench.starts().at(-1)).toMatch(/other\/ram,share=on.* -incoming defer/);
    expect(restored.save).toBeTypeOf("function");
    await Promise.all([vm.kill(), restored.kill()]);
  });

  it("boots on it where there are no templates", async () => {
    using bench = createBench();
    const memoryFolder = bench.folder("memory");
    const vm = await bench.spawn(undefined, { memoryFolder });
    expect(vm.kind).toBe("cold");
    expect(bench.starts().at(-1)).toContain("share=on");
    await vm.kill();
  });

  it("goes on when it could not be saved", async () => {
    using bench = createBench({ fault: "no-freeze" });
    const vm = await bench.spawn(undefined, { memoryFolder: bench.folder("memory") });
    const folder = bench.folder("saved");
    await expect(vm.save?.(folder)).rejects.toMatchObject({ code: "VM_BOOT_FAILED" });
    expect(readdirSync(folder)).toEqual([]);
    await vm.stop();
    expect(await vm.exited).toMatchObject({ requested: true });
  });

  it("cannot be saved without it", async () => {
    using bench = createBench({ templates: true });
    const vm = await bench.spawn();
    expect(vm.save).toBeUndefined();
    await vm.kill();
  });

  it("is restored only where everything is as it was", async () => {
    using bench = createBench();
    const vm = await bench.spawn(undefined, { memoryFolder: bench.folder("memory") });
    const folder = bench.folder("saved");
    const key = (await vm.save?.(folder))?.key as SaveKey;
    const memoryFolder = bench.folder("other");
    for (const part of Object.keys(key)) {
      const saved = { folder, key: { ...key, [part]: "another" } };
      await expect(bench.restore(saved, { memoryFolder })).rejects.toMatchObject({
        code: "SNAPSHOT_MISMATCH",
        details: { part },
      });
    }
    expect(readdirSync(memoryFolder)).toEqual([]);
    await vm.kill();
  });

  it("is never restored on what was saved itself", async () => {
    using bench = createBench();
    const vm = await bench.spawn(undefined, { memoryFolder: bench.folder("memory") });
    const folder = bench.folder("saved");
    const key = (await vm.save?.(folder))?.key as SaveKey;
    await expect(bench.restore({ folder, key })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await vm.kill();
  });
});
