import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDepends, parseModinfo } from "../../../src/image/elf-modinfo.ts";
import {
  listModules,
  moduleNameOfPath,
  neededModules,
  orderModules,
  parseBuiltin,
} from "../../../src/image/kernel-modules.ts";
import type { ModuleSource } from "../../../src/image/kernel-modules.ts";
import { makeModule } from "./make-module.ts";

function makeSources(
  depends: Readonly<Record<string, readonly string[]>>,
): Map<string, ModuleSource> {
  return new Map(
    Object.entries(depends).map(([name, needed]) => {
      const content = makeModule(["license=GPL", `depends=${needed.join(",")}`, `name=${name}`]);
      const path = `lib/modules/6.1.0/kernel/drivers/${name}.ko`;
      return [name, { path, read: () => Promise.resolve(content) }];
    }),
  );
}

describe("orderModules", () => {
  test("puts every module after all it needs, once, whatever the graph", async () => {
    // node n may need lower nodes only, so there is no circle
    const graphs = fc
      .array(fc.array(fc.nat(20), { maxLength: 4 }), { minLength: 1, maxLength: 20 })
      .map((lists) =>
        lists.map((list, node) => [...new Set(list.filter((needed) => needed < node))]),
      );
    await fc.assert(
      fc.asyncProperty(graphs, async (graph) => {
        const depends = Object.fromEntries(
          graph.map((list, node) => [`m${node}`, list.map((each) => `m${each}`)]),
        );
        const wanted = Object.keys(depends).toReversed();
        const order = (await orderModules(wanted, makeSources(depends), new Set())).map(
          ({ name }) => name,
        );
        expect(order.toSorted()).toEqual(wanted.toSorted());
        for (const [name, list] of Object.entries(depends)) {
          for (const needed of list)
            expect(order.indexOf(needed)).toBeLessThan(order.indexOf(name));
        }
      }),
    );
  });

  test("takes only what is needed, and leaves out what the kernel has built in", async () => {
    const sources = makeSources({
      virtio: ["virtio_ring"],
      virtio_ring: [],
      virtio_blk: ["virtio-ring", "virtio", "crc32c"],
      unrelated: [],
    });
    const order = await orderModules(
      ["virtio_blk", "overlay"],
      sources,
      new Set(["crc32c", "overlay"]),
    );
    expect(order.map(({ name }) => name)).toEqual(["virtio_ring", "virtio", "virtio_blk"]);
  });

  test("refuses modules that need each other, and one that is not there", async () => {
    const circle = makeSources({ a: ["b"], b: ["a"] });
    await expect(orderModules(["a"], circle, new Set())).rejects.toThrow("a → b → a");
    await expect(orderModules(["c"], circle, new Set())).rejects.toMatchObject({
      code: "IMAGE_BUILD_FAILED",
    });
  });

  test("drops the suffix of a compressed module from its path", async () => {
    const path = "lib/modules/6.12/kernel/fs/squashfs/squashfs.ko.xz";
    const content = makeModule(["depends="]);
    const sources = new Map([["squashfs", { path, read: () => Promise.resolve(content) }]]);
    const [module] = await orderModules(["squashfs"], sources, new Set());
    expect(module?.path).toBe("lib/modules/6.12/kernel/fs/squashfs/squashfs.ko");
  });
});

describe("listModules", () => {
  test("leaves out of a device's list what every machine loads", async () => {
    const names = Object.values(neededModules("amd64")).flat();
    const alone = Object.fromEntries(names.map((name) => [name, ["virtio"]]));
    const lists = await listModules(makeSources({ ...alone, virtio: [] }), new Set(), "amd64");
    const namesOf = (list: string): unknown => lists.get(list)?.map(({ name }) => name);
    expect(namesOf("modules")).toEqual([
      "virtio",
      "virtio_mmio",
      "virtio_pci",
      "virtio_console",
      "overlay",
    ]);
    expect(namesOf("modules-0x0002")).toEqual(["virtio_blk", "squashfs"]);
    expect(lists.size).toBe(5);
  });

  test("has what Rosetta needs where the processor may be one of Apple's", () => {
    expect(neededModules("arm64")["modules-0x001a"]).toEqual(["virtiofs", "binfmt_misc"]);
    expect(neededModules("amd64")["modules-0x001a"]).toBeUndefined();
  });
});

describe("names of modules", () => {
  test("are the kernel's own spelling", () => {
    expect(moduleNameOfPath("lib/modules/6.1/kernel/drivers/char/hw_random/virtio-rng.ko")).toBe(
      "virtio_rng",
    );
    expect(moduleNameOfPath("lib/modules/6.1/kernel/fs/overlayfs/overlay.ko.xz")).toBe("overlay");
    expect(moduleNameOfPath("lib/modules/6.1/modules.order")).toBeUndefined();
    expect([...parseBuiltin("kernel/fs/ext4/ext4.ko\nkernel/lib/crc-t10dif.ko\n\n")]).toEqual([
      "ext4",
      "crc_t10dif",
    ]);
  });
});

describe("parseModinfo", () => {
  test("reads facts, and names of what a module depends on", () => {
    const module = makeModule(["alias=a", "alias=b", "depends=virtio_ring,virtio-x"]);
    expect(parseModinfo(module, "x").get("alias")).toEqual(["a", "b"]);
    expect(parseDepends(module, "x")).toEqual(["virtio_ring", "virtio_x"]);
    expect(parseDepends(makeModule(["depends="]), "x")).toEqual([]);
  });

  test("refuses what is not a module, and never reads outside the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, withHeader) => {
        const head = withHeader ? [...makeModule(["depends=a"]).subarray(0, 64)] : [];
        try {
          parseModinfo(Buffer.from([...head, ...noise]), "noise");
        } catch (error) {
          expect(error).toMatchObject({ code: "IMAGE_BUILD_FAILED" });
        }
      }),
    );
  });
});
