import { describe, expect, test } from "vitest";
import { findApplets } from "../../../src/image/busybox-applets.ts";
import { encodeInitramfs } from "../../../src/image/initramfs.ts";
import type { LoadableModule } from "../../../src/image/kernel-modules.ts";
import { readCpio } from "./read-cpio.ts";

function makeModule(name: string): LoadableModule {
  return { name, path: `lib/modules/6.1/kernel/drivers/${name}.ko`, content: Buffer.from(name) };
}

const parts = {
  guest: Buffer.from("guest"),
  busybox: Buffer.from("busybox"),
  applets: ["[", "busybox", "sh"],
  moduleLists: new Map([
    ["modules", [makeModule("virtio_ring"), makeModule("virtio")]],
    ["modules-0x0002", [makeModule("crc32c"), makeModule("virtio_blk")]],
    ["modules-0x0004", [makeModule("crc32c")]],
  ]),
};
const records = new Map(readCpio(encodeInitramfs(parts)).map((record) => [record.path, record]));
const text = (path: string): string | undefined => records.get(path)?.content.toString();

describe("the initramfs", () => {
  test("starts the guest agent, and says in which order modules are loaded", () => {
    expect(records.get("init")?.mode).toBe(0o100755);
    expect(text("init")).toBe("guest");
    expect(text("etc/luminaguard/modules")).toBe(
      "/lib/modules/6.1/kernel/drivers/virtio_ring.ko\n/lib/modules/6.1/kernel/drivers/virtio.ko\n",
    );
    expect(text("lib/modules/6.1/kernel/drivers/virtio.ko")).toBe("virtio");
  });

  test("has a module once that two lists name", () => {
    expect(text("etc/luminaguard/modules-0x0002")).toBe(
      "/lib/modules/6.1/kernel/drivers/crc32c.ko\n/lib/modules/6.1/kernel/drivers/virtio_blk.ko\n",
    );
    expect(text("etc/luminaguard/modules-0x0004")).toBe(
      "/lib/modules/6.1/kernel/drivers/crc32c.ko\n",
    );
    const paths = readCpio(encodeInitramfs(parts)).map(({ path }) => path);
    expect(paths.filter((path) => path.endsWith("/crc32c.ko"))).toHaveLength(1);
  });

  test("has the devices that the kernel opens before /dev is there", () => {
    expect(records.get("dev/console")).toMatchObject({ mode: 0o020600, device: [5, 1] });
    expect(records.get("dev/null")).toMatchObject({ mode: 0o020666, device: [1, 3] });
  });

  test("has a base tree with merged /usr, applets that packages can replace, and the user's folders", () => {
    expect(text("base/bin")).toBe("usr/bin");
    expect(text("base/lib64")).toBe("usr/lib64");
    expect(text("base/usr/bin/sh")).toBe("busybox");
    expect(text("base/usr/bin/[")).toBe("busybox");
    expect(text("base/usr/bin/busybox")).toBe("busybox");
    expect(records.get("base/tmp")?.mode).toBe(0o041777);
    expect(records.get("base/home/user")).toMatchObject({ uid: 1000, gid: 1000 });
    expect(records.get("base/workspace")).toMatchObject({ uid: 1000, gid: 1000 });
    expect(text("base/etc/passwd")).toContain("user:x:1000:1000:user:/home/user:/bin/sh\n");
    for (const folder of ["proc", "sys", "dev", "run"])
      expect(records.has(`base/${folder}`)).toBe(true);
  });

  test("belongs to root but for the user's own", () => {
    const others = [...records.values()].filter(({ uid, gid }) => uid !== 0 || gid !== 0);
    expect(others.map(({ path }) => path)).toEqual(["base/home/user", "base/workspace"]);
  });
});

describe("findApplets", () => {
  test("reads the table of names without running the program", () => {
    const binary = Buffer.from("\x7fELF…\0junk\0[\0[[\0awk\0sh\0zcat\0\0more", "latin1");
    expect(findApplets(binary)).toEqual(["[", "[[", "awk", "sh", "zcat"]);
  });

  test.each(["", "\0[\0[[\0awk\0\0", "\0[\0[[\0../sh\0sh\0\0", "\0[\0[[\0sh"])(
    "refuses %j",
    (binary) => {
      expect(() => findApplets(Buffer.from(binary, "latin1"))).toThrow("busybox");
    },
  );
});
