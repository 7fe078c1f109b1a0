import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGreeter } from "../../../../src/runtime/greeter.ts";
import { selectHypervisor } from "../../../../src/vm/choice/select.ts";
import type { SelectOptions, Selection } from "../../../../src/vm/choice/select.ts";
import { VerdictCache } from "../../../../src/vm/choice/verdict-cache.ts";
import { plantFakeQemu, plantQemu, sayVersion } from "../../../support/fake-qemu.ts";
import { plantVfkit } from "../../../support/stand-in-vfkit.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const image = { digest: "0".repeat(64), kernelPath: "/k", initramfsPath: "/i" };

/** Chooses as on macOS, whose candidates depend on nothing of this host: vz, hvf, then tcg. */
function select(folder: string, more: Partial<SelectOptions> = {}): Promise<Selection> {
  return selectHypervisor({
    cacheDir: join(folder, "cache"),
    runtimeDir: join(folder, "run"),
    architecture: "x64",
    platform: "darwin",
    searchPath: folder,
    tools: { asRoot: false, namespaces: false, groupParents: [] },
    cache: new VerdictCache(join(folder, "host.json")),
    image,
    kernelSha256: "1".repeat(64),
    greeter: { ...createGreeter(), measureClock: () => Promise.resolve(1) },
    ...more,
  });
}

const noVfkit = { accelerator: "vz", tried: false, fix: "brew install vfkit" };

describe("choosing how to run machines", () => {
  it("takes the first way that boots a machine, and keeps why the others do not", async () => {
    using temp = makeTempDir();
    plantFakeQemu(temp.path, { fault: "not-hvf" });
    const { hypervisor, version, canaries } = await select(temp.path);
    expect(hypervisor.accelerator).toBe("tcg");
    expect(hypervisor.features).toEqual({ templates: true, hardwareVirtualization: false });
    expect(version).toBe("10.0.0");
    expect(canaries).toMatchObject([
      noVfkit,
      { accelerator: "hvf", booted: false, reason: "not on this host" },
      { accelerator: "tcg", booted: true },
    ]);
  });

  it("tries no further than the first that boots", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path);
    const { hypervisor, canaries } = await select(temp.path);
    expect(hypervisor.features.hardwareVirtualization).toBe(true);
    expect(canaries).toMatchObject([
      noVfkit,
      { accelerator: "hvf", tried: true, booted: true },
      { accelerator: "tcg", tried: false, reason: "qemu/hvf is better" },
    ]);
    expect(starts()).toHaveLength(1);
  });

  it("takes Apple's framework first on a Mac, and QEMU where that does not start", async () => {
    using temp = makeTempDir();
    plantFakeQemu(temp.path);
    plantVfkit(temp.path, { fault: "entitlement" });
    const canary = {
      image: { ...image, kernelPath: import.meta.filename, initramfsPath: import.meta.filename },
    };
    const { hypervisor, canaries } = await select(temp.path, canary);
    expect(hypervisor.accelerator).toBe("hvf");
    expect(canaries).toMatchObject([
      { backend: "vfkit", tried: true, reason: expect.stringContaining("entitlement") as unknown },
      { backend: "qemu", accelerator: "hvf", booted: true },
      { accelerator: "tcg", tried: false },
    ]);
  });

  it("tries what it is told to and nothing else", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path);
    const { hypervisor, canaries } = await select(temp.path, { wanted: "qemu/tcg" });
    expect(hypervisor.accelerator).toBe("tcg");
    expect(canaries).toMatchObject([
      { accelerator: "vz", reason: "another one is asked for" },
      { accelerator: "hvf", tried: false, reason: "another one is asked for" },
      { accelerator: "tcg", tried: true, booted: true },
    ]);
    expect(starts()).toHaveLength(1);
    const { hypervisor: any } = await select(temp.path, { wanted: "qemu" });
    expect(any.accelerator).toBe("hvf");
  });

  it("refuses a name that no hypervisor of the platform has, with the nearest", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path);
    for (const [wanted, hint] of [
      ["qemu/tgc", 'did you mean "qemu/tcg"?'],
      ["xen", "known here: auto, vfkit, qemu, vfkit/vz, qemu/hvf, qemu/tcg"],
    ] as const) {
      const refused = { code: "CONFIG_INVALID", hint: expect.stringContaining(hint) as unknown };
      await expect(select(temp.path, { wanted })).rejects.toMatchObject(refused);
    }
    expect(starts()).toEqual([]);
  });

  it("asks a host once, and again when it is told to or the host is another", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path);
    await select(temp.path);
    await select(temp.path);
    expect(starts()).toHaveLength(1);
    await select(temp.path, { fresh: true });
    expect(starts()).toHaveLength(2);
    await select(temp.path, { kernelSha256: "2".repeat(64) });
    expect(starts()).toHaveLength(3);
  });

  it("asks again where what was kept cannot be read", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path);
    await select(temp.path);
    const path = join(temp.path, "host.json");
    const kept = JSON.parse(readFileSync(path, "utf8")) as Record<string, string>;
    for (const spoilt of ["{", '[{"accelerator":"magic"}]']) {
      const entries = Object.entries(kept).map(([key, value]) => {
        return [key, key.startsWith("canary") ? spoilt : value];
      });
      writeFileSync(path, JSON.stringify(Object.fromEntries(entries)));
      const { canaries } = await select(temp.path);
      expect(canaries).toMatchObject([noVfkit, { booted: true }, { tried: false }]);
    }
    expect(starts()).toHaveLength(3);
  });

  it("says what was tried when nothing boots, and keeps no such verdict", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path, { fault: "dies" });
    for (const count of [2, 4]) {
      await expect(select(temp.path)).rejects.toMatchObject({
        code: "HYPERVISOR_UNAVAILABLE",
        details: { canaries: [noVfkit, { accelerator: "hvf" }, { accelerator: "tcg" }] },
      });
      expect(starts()).toHaveLength(count);
    }
  });

  it("refuses a QEMU that is too old, or missing", async () => {
    using temp = makeTempDir();
    await expect(select(temp.path)).rejects.toMatchObject({ code: "TOOL_MISSING" });
    plantQemu(temp.path, sayVersion("7.1.0"));
    await expect(select(temp.path)).rejects.toMatchObject({
      code: "TOOL_MISSING",
      message: "QEMU 7.1.0 is too old; 7.2.0 is needed",
    });
  });

  it("refuses root a hypervisor that cannot be confined", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path);
    const tools = { asRoot: true, namespaces: false, groupParents: [] };
    await expect(select(temp.path, { tools })).rejects.toMatchObject({
      code: "HYPERVISOR_UNAVAILABLE",
      hint: expect.stringContaining("bubblewrap") as unknown,
    });
    expect(starts()).toEqual([]);
  });

  it("refuses a hypervisor that the walls would hide, and says where it has to be", async () => {
    using temp = makeTempDir();
    const { starts } = plantFakeQemu(temp.path);
    const tools = { asRoot: false, namespaces: true, groupParents: [] };
    await expect(select(temp.path, { tools })).rejects.toMatchObject({
      code: "TOOL_MISSING",
      message: expect.stringContaining("behind walls") as unknown,
      hint: expect.stringContaining("/usr") as unknown,
    });
    expect(starts()).toEqual([]);
  });

  it("ends with the caller's own reason", async () => {
    using temp = makeTempDir();
    plantFakeQemu(temp.path);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(select(temp.path, { signal })).rejects.toBe(reason);
  });
});
