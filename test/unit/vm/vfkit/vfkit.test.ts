/** The vfkit backend where no guest is needed: a stand-in or a script is in vfkit's place, processes and files are real. */
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGreeter } from "../../../../src/runtime/greeter.ts";
import { VfkitHypervisor } from "../../../../src/vm/backends/vfkit/vfkit.ts";
import type { VmInstance } from "../../../../src/vm/hypervisor.ts";
import { resolveVmSpec } from "../../../../src/vm/spec.ts";
import { eventually } from "../../../support/eventually.ts";
import { makeTempDir } from "../../../support/make-tree.ts";
import { plantScript, plantVfkit } from "../../../support/stand-in-vfkit.ts";
import type { StandIn } from "../../../support/stand-in-vfkit.ts";

const file = import.meta.filename;
const image = { digest: "0".repeat(64), kernelPath: file, initramfsPath: file };
const host = { processors: 8, memoryBytes: 8 * 1024 ** 3, architecture: "arm64" };

interface Bench extends Disposable {
  readonly hypervisor: VfkitHypervisor;
  readonly standIn: StandIn;
  readonly spawn: (more?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<VmInstance>;
  readonly left: () => readonly string[];
}

function createBench(plant: (folder: string) => StandIn, runtimeName = "run"): Bench {
  const temp = makeTempDir();
  const runtimeDir = join(temp.path, runtimeName);
  const standIn = plant(temp.path);
  const hypervisor = new VfkitHypervisor({ runtimeDir, searchPath: standIn.searchPath, host });
  return {
    hypervisor,
    standIn,
    spawn: ({ timeoutMs = 5_000, signal } = {}) => {
      const spec = resolveVmSpec({ image, memoryMib: 96, bootTimeoutMs: timeoutMs });
      // nothing answers on the wire: the machine is up when its socket is
      const greeter = {
        ...createGreeter(),
        reach: async (path: string): Promise<void> => {
          await eventually("the wire", () => existsSync(path));
        },
        greet: (): Promise<void> => Promise.resolve(),
      };
      return hypervisor.spawn({ spec, greeter }, signal);
    },
    left: () => (existsSync(runtimeDir) ? readdirSync(runtimeDir) : []),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

describe("a vfkit machine", () => {
  it("is asked to end, then ended by the framework, and leaves nothing", async () => {
    using bench = createBench((folder) => plantVfkit(folder, { fault: "no-vm" }));
    const vm = await bench.spawn();
    await vm.stop();
    expect(await vm.exited).toEqual({ requested: true, reason: "vfkit ended (exit code 0)" });
    const asked = bench.standIn.entries().flatMap((each) => ("body" in each ? [each.body] : []));
    expect(asked).toEqual(['{"state":"Stop"}', '{"state":"HardStop"}']);
    expect(bench.left()).toEqual([]);
  });

  it("whose vfkit does not answer is taken away", async () => {
    using bench = createBench((folder) => plantVfkit(folder, { fault: "no-vm deaf" }));
    const vm = await bench.spawn();
    await vm.stop();
    expect(await vm.exited).toEqual({ requested: true, reason: "vfkit ended (SIGKILL)" });
    expect(bench.left()).toEqual([]);
  });

  it("that writes on its console without end takes only so much of the disk", async () => {
    using bench = createBench((folder) => plantVfkit(folder, { fault: "no-vm" }));
    const vm = await bench.spawn();
    const console = join(dirname(vm.socketPath), "console");
    writeFileSync(console, Buffer.alloc(6 * 1024 ** 2, "x"));
    await eventually("room is given back", () => statSync(console).blocks === 0);
    await vm.kill();
    expect(bench.left()).toEqual([]);
  });

  it("that never comes up is taken away at its limit", async () => {
    using bench = createBench((folder) => plantScript(folder, versionOr("exec sleep 60")));
    await expect(bench.spawn({ timeoutMs: 300 })).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(bench.left()).toEqual([]);
  });

  it("is gone when its spawn is aborted", async () => {
    using bench = createBench((folder) => plantScript(folder, versionOr("exec sleep 60")));
    const over = new AbortController();
    const spawning = bench.spawn({ signal: over.signal });
    over.abort(new Error("never mind"));
    await expect(spawning).rejects.toThrow("never mind");
    expect(bench.left()).toEqual([]);
  });

  it("that the framework does not let start says how to sign vfkit", async () => {
    using bench = createBench((folder) => plantVfkit(folder, { fault: "entitlement" }));
    await expect(bench.spawn()).rejects.toMatchObject({
      code: "VM_BOOT_FAILED",
      hint: expect.stringContaining("codesign -f --entitlements") as unknown,
    });
    expect(bench.left()).toEqual([]);
  });

  it("that macOS ends without a word is explained by the quarantine", async () => {
    using bench = createBench((folder) => plantScript(folder, versionOr("kill -KILL $$")));
    await expect(bench.spawn()).rejects.toMatchObject({
      code: "VM_BOOT_FAILED",
      hint: expect.stringContaining("xattr -d com.apple.quarantine") as unknown,
    });
    expect(bench.left()).toEqual([]);
  });

  it("whose folder's path vfkit would read as another is refused before anything starts", async () => {
    using bench = createBench((folder) => plantVfkit(folder), "my run");
    await expect(bench.spawn()).rejects.toMatchObject({
      code: "HOST_LIMIT",
      hint: expect.stringContaining("LUMINAGUARD_RUNTIME_DIR") as unknown,
    });
    expect(bench.standIn.entries()).toEqual([]);
  });

  it("whose folder's path is too long for a socket is refused before anything starts", async () => {
    using bench = createBench((folder) => plantVfkit(folder), "r".repeat(90));
    await expect(bench.spawn()).rejects.toMatchObject({ code: "HOST_LIMIT" });
    expect(bench.standIn.entries()).toEqual([]);
  });
});

describe("vfkit", () => {
  it.each([
    ["v0.6.4", { kind: "ready", version: "0.6.4" }],
    ["v0.6.1-7-gabcdef", { kind: "ready", version: "0.6.1" }],
    ["unknown", { kind: "ready", version: "unknown" }],
    ["v0.5.1", { kind: "unavailable", fix: "brew upgrade vfkit" }],
  ])("of version %s is %j", async (version, expected) => {
    using bench = createBench((folder) => plantVfkit(folder, { version }));
    expect(await bench.hypervisor.probe()).toMatchObject(expected);
  });

  it.each([
    ["that is not there", "/nowhere", "brew install vfkit"],
    ["in the current folder", ".", "brew install vfkit"],
  ])("%s is not found", async (_, searchPath, fix) => {
    const hypervisor = new VfkitHypervisor({ runtimeDir: "/r", searchPath, host });
    expect(await hypervisor.probe()).toMatchObject({ kind: "unavailable", fix });
  });

  it("that macOS does not let say its version is explained by the quarantine", async () => {
    using bench = createBench((folder) => plantScript(folder, "kill -KILL $$"));
    expect(await bench.hypervisor.probe()).toMatchObject({
      kind: "unavailable",
      fix: expect.stringContaining("xattr -d com.apple.quarantine") as unknown,
    });
  });

  it("of another maker is not taken for it", async () => {
    using bench = createBench((folder) => plantScript(folder, "echo version 9"));
    expect(await bench.hypervisor.probe()).toMatchObject({
      kind: "unavailable",
      reason: expect.stringContaining("does not say its version") as unknown,
    });
  });
});

/** The script after vfkit's answer to the one question that is asked first. */
function versionOr(script: string): string {
  return `[ "$1" = --version ] && echo "vfkit version: v0.6.4" && exit 0\n${script}`;
}
