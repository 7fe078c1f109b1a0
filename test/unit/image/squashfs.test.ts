import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSquashfs } from "../../../src/image/squashfs.ts";
import type { SquashfsEntry, SquashfsWriter } from "../../../src/image/squashfs.ts";
import { makeTempDir } from "../../support/make-tree.ts";

const temp = makeTempDir();
afterAll(() => temp[Symbol.dispose]());
const unsquashfs = spawnSync("unsquashfs", ["-help"]).error === undefined;
const owner = { mode: 0o644, uid: 0, gid: 0, mtimeS: 1_700_000_000 };
const checked = [0, 1, 255, 256, 257, 1999, 2999];
let images = 0;

function file(path: string, content: Buffer, more: Partial<SquashfsEntry> = {}): SquashfsEntry {
  const pieces = content.length === 0 ? [] : [content];
  return {
    ...owner,
    kind: "file",
    path,
    bytes: content.length,
    content: Readable.from(pieces),
    ...more,
  } as SquashfsEntry;
}

async function build(fill: (writer: SquashfsWriter) => Promise<void>): Promise<string> {
  images += 1;
  const path = join(temp.path, `${images}.squashfs`);
  const writer = await createSquashfs(path, 315_619_200);
  await fill(writer);
  await writer.finish();
  return path;
}

async function buildSample(): Promise<string> {
  return build(async (writer) => {
    await writer.add({ ...owner, kind: "directory", path: "etc", mode: 0o750, uid: 7, gid: 50 });
    await writer.add(file("etc/empty", Buffer.alloc(0)));
    await writer.add(
      file("usr/bin/tool", Buffer.alloc(300_000, "tool"), { mode: 0o4755, uid: 1000 }),
    );
    expect(writer.link("usr/bin/other", "usr/bin/tool")).toBe(true);
    await writer.add({
      ...owner,
      kind: "symlink",
      path: "usr/bin/sh",
      target: "tool",
      mode: 0o777,
    });
    for (let index = 0; index < 3000; index += 1) {
      const content = Buffer.from(checked.includes(index) ? String(index) : "");
      await writer.add(file(`many/a-file-with-a-long-name-${index}`, content));
    }
  });
}

describe.skipIf(!unsquashfs)("a squashfs that unsquashfs reads back (needs squashfs-tools)", () => {
  let image = "";
  let root = "";
  let listing: string[] = [];
  beforeAll(async () => {
    image = await buildSample();
    root = join(temp.path, "unpacked");
    spawnSync("unsquashfs", ["-quiet", "-no-progress", "-dest", root, image]);
    listing = spawnSync("unsquashfs", ["-lln", image], {
      encoding: "utf8",
      env: { ...process.env, TZ: "UTC" },
    }).stdout.split("\n");
  });
  const line = (path: string): string =>
    listing
      .find(
        (each) =>
          each.includes(` squashfs-root${path}`) &&
          each.split("squashfs-root")[1]?.split(" ")[0] === path,
      )
      ?.replaceAll(/ +/g, " ") ?? "";

  test("keeps contents, of many blocks and of none", () => {
    expect(readFileSync(join(root, "usr/bin/tool")).equals(Buffer.alloc(300_000, "tool"))).toBe(
      true,
    );
    expect(statSync(join(root, "etc/empty")).size).toBe(0);
  });

  test("keeps owners, modes, times and links", () => {
    expect(line("")).toMatch(/^drwxr-xr-x 0\/0 \d+ 1980-01-02 00:00 squashfs-root$/);
    expect(line("/etc")).toMatch(/^drwxr-x--- 7\/50 \d+ 2023-11-14 22:13 /);
    expect(line("/usr/bin/tool")).toBe(
      "-rwsr-xr-x 1000/0 300000 2023-11-14 22:13 squashfs-root/usr/bin/tool",
    );
    expect(line("/usr/bin/sh")).toContain("squashfs-root/usr/bin/sh -> tool");
    expect(statSync(join(root, "usr/bin/other")).ino).toBe(
      statSync(join(root, "usr/bin/tool")).ino,
    );
  });

  test("finds every name of a folder too large for one block of names", () => {
    for (const index of checked) {
      expect(readFileSync(join(root, `many/a-file-with-a-long-name-${index}`), "utf8")).toBe(
        String(index),
      );
    }
    expect(listing.filter((each) => each.includes("/many/")).length).toBe(3000);
  });
});

describe("createSquashfs", () => {
  test("gives the same bytes for the same entries", async () => {
    const [one, two] = [readFileSync(await buildSample()), readFileSync(await buildSample())];
    expect(one.equals(two)).toBe(true);
    expect(one.length % 4096).toBe(0);
  });

  test("makes the folders that no entry brought", async () => {
    await build(async (writer) => {
      await writer.add(file("a/b/c", Buffer.from("x")));
      expect(writer.has("a/b")).toBe(true);
      expect([...writer.paths()]).toEqual(["a", "a/b", "a/b/c"]);
    });
  });

  test("refuses a path that is twice there, and a folder that is a file", async () => {
    await build(async (writer) => {
      await writer.add(file("a", Buffer.from("x")));
      await expect(writer.add(file("a", Buffer.from("y")))).rejects.toMatchObject({
        code: "IMAGE_BUILD_FAILED",
      });
      await expect(writer.add(file("a/b", Buffer.from("y")))).rejects.toThrow("folder");
      expect(writer.link("b", "none")).toBe(false);
    });
  });

  test("refuses a file that is shorter than it says", async () => {
    await build(async (writer) => {
      const short = file("a", Buffer.from("x"), { bytes: 2 });
      await expect(writer.add(short)).rejects.toThrow("not as long");
    });
  });
});
