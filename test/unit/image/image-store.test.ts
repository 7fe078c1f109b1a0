import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createImageStore } from "../../../src/image/image-store.ts";
import type { ImageStore } from "../../../src/image/image-store.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { makeImage, sampleFiles } from "./make-image.ts";

let temp = makeTempDir();
let store: ImageStore;
const invalid = expect.objectContaining({
  code: "IMAGE_INVALID",
  hint: "build it again: luminaguard image build base",
}) as unknown;

beforeEach(() => {
  temp = makeTempDir();
  store = createImageStore({ cacheDir: temp.path });
});
afterEach(() => temp[Symbol.dispose]());

describe("open", () => {
  test("gives an image whose files are as they were built, by name and by digest", async () => {
    const { digest, folder } = await makeImage(temp.path, "base");
    const image = await store.open("base");
    expect(image).toMatchObject({
      name: "base",
      digest,
      folder,
      kernelPath: join(folder, "vmlinuz"),
      rootLayerPath: undefined,
    });
    expect((await store.open(digest)).folder).toBe(folder);
  });

  test("gives the layer of an image that has one", async () => {
    const { folder } = await makeImage(temp.path, "python", {
      ...sampleFiles,
      "root.squashfs": "layer",
    });
    expect((await store.open("python")).rootLayerPath).toBe(join(folder, "root.squashfs"));
  });

  test.each([
    [
      "a changed file of the same size",
      (folder: string) => writeFileSync(join(folder, "vmlinuz"), "Kernel"),
    ],
    [
      "a file that grew",
      (folder: string) => writeFileSync(join(folder, "initramfs"), "initramfs and more"),
    ],
    ["a missing file", (folder: string) => rmSync(join(folder, "SOURCES.txt"))],
    [
      "a changed licence",
      (folder: string) => writeFileSync(join(folder, "licences/busybox-static/copyright"), "GPL-3"),
    ],
    ["a changed manifest", (folder: string) => writeFileSync(join(folder, "manifest.json"), "{}")],
    ["no folder", (folder: string) => rmSync(folder, { recursive: true })],
    ["a file that others can write", (folder: string) => chmodSync(join(folder, "vmlinuz"), 0o666)],
    [
      "a symlink for a file",
      (folder: string) => {
        renameSync(join(folder, "vmlinuz"), join(folder, "elsewhere"));
        symlinkSync("elsewhere", join(folder, "vmlinuz"));
      },
    ],
  ])("is IMAGE_INVALID with %s, on the first look and on a later one", async (_what, tamper) => {
    const { folder } = await makeImage(temp.path, "base");
    await store.open("base");
    tamper(folder);
    await expect(store.open("base")).rejects.toEqual(invalid);
    rmSync(join(temp.path, "images/verified"), { recursive: true });
    await expect(store.open("base")).rejects.toEqual(invalid);
  });

  test("sees a change that kept size and time", async () => {
    const { folder } = await makeImage(temp.path, "base");
    await store.open("base");
    const kernel = join(folder, "vmlinuz");
    const time = new Date(1_700_000_000_000);
    utimesSync(kernel, time, time);
    await store.open("base");
    writeFileSync(kernel, "Kernel");
    utimesSync(kernel, time, time);
    await expect(store.open("base")).rejects.toEqual(invalid);
  });

  test("names the packages in the line that builds a broken image again", async () => {
    const { digest, folder } = await makeImage(temp.path);
    mkdirSync(join(temp.path, "images/names"));
    writeFileSync(
      join(temp.path, "images/names/web.json"),
      JSON.stringify({ digest, packages: ["git", "curl"] }),
    );
    rmSync(join(folder, "vmlinuz"));
    await expect(store.open("web")).rejects.toMatchObject({
      hint: "build it again: luminaguard image build web --packages git,curl",
    });
  });

  test("says which name was probably meant, or how to build the image", async () => {
    await makeImage(temp.path, "python");
    await expect(store.open("pyhton")).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      hint: 'did you mean "python"?',
    });
    await expect(store.open("base")).rejects.toMatchObject({
      hint: "make it with: luminaguard image build base",
    });
    await expect(store.open("web")).rejects.toMatchObject({
      hint: "make it with: luminaguard image build web --packages …",
    });
  });

  test("refuses a name that is a path, and one whose file is broken", async () => {
    for (const name of ["../x", "", "A", "a/b", "sha256-abc"])
      await expect(store.open(name)).rejects.toMatchObject({ code: "USAGE" });
    mkdirSync(join(temp.path, "images/names"), { recursive: true });
    writeFileSync(join(temp.path, "images/names/odd.json"), '{"digest": "sha256-../.."}');
    await expect(store.open("odd")).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });
});

test("verify hashes every file, even where the record says all is well", async () => {
  const { digest, folder } = await makeImage(temp.path, "base");
  await store.open("base");
  writeFileSync(join(folder, "vmlinuz"), "Kernel");
  const looks = Object.keys(sampleFiles).map((path) => {
    const { size, mtimeNs, ctimeNs, uid, dev, ino } = statSync(join(folder, path), {
      bigint: true,
    });
    return [path, [size, mtimeNs, ctimeNs, uid, dev, ino].join(" ")];
  });
  const record = JSON.stringify({ files: Object.fromEntries(looks) as unknown });
  writeFileSync(join(temp.path, `images/verified/${digest}.json`), record);
  await store.open("base");
  await expect(store.verify("base")).rejects.toEqual(invalid);
});

describe("list and remove", () => {
  test("lists images by name, broken ones too", async () => {
    await makeImage(temp.path, "python", { ...sampleFiles, "root.squashfs": "layer" });
    const { folder } = await makeImage(temp.path, "base");
    rmSync(folder, { recursive: true });
    const list = await store.list();
    expect(list.map(({ name, bytes, manifest }) => [name, bytes, manifest?.kernelRelease])).toEqual(
      [
        ["base", 0, undefined],
        ["python", 32, "6.1.0-1-cloud-amd64"],
      ],
    );
  });

  test("removes an image with its last name, unless it is in use", async () => {
    const { digest, folder } = await makeImage(temp.path, "one");
    await makeImage(temp.path, "two");
    await makeImage(temp.path, "three");
    await store.remove("one");
    expect(existsSync(folder)).toBe(true);
    await store.remove("two", { keep: new Set([digest]) });
    await store.remove("three", { keep: new Set([digest]) });
    expect(existsSync(folder)).toBe(true);
    await makeImage(temp.path, "four");
    await store.remove("four");
    expect(existsSync(folder)).toBe(false);
    await expect(store.remove("four")).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
  });
});

describe("prune", () => {
  const put = (path: string, bytes: number, ageS: number): void => {
    const full = join(temp.path, path);
    mkdirSync(join(full, ".."), { recursive: true });
    writeFileSync(full, Buffer.alloc(bytes));
    const time = new Date(Date.now() - ageS * 1000);
    utimesSync(full, time, time);
  };

  test("removes what was used longest ago until the rest fits, and never a named image", async () => {
    const named = await makeImage(temp.path, "base");
    const unnamed = await makeImage(temp.path, undefined, { ...sampleFiles, initramfs: "x" });
    put("packages/old.deb", 1000, 9000);
    put("packages/new.deb", 500, 10);
    const before = (await store.cache()).map(({ kind, bytes }) => [kind, bytes]);
    expect(before.length).toBe(4);
    const pruned = await store.prune({ bytesMax: 10_000 });
    expect(pruned.removed.map(({ path }) => path)).toEqual([]);
    await store.prune({ bytesMax: pruned.bytes - 1 });
    expect(readdirSync(join(temp.path, "packages"))).toEqual(["new.deb"]);
    const rest = await store.prune({ bytesMax: 0, keep: new Set([unnamed.digest]) });
    expect(existsSync(unnamed.folder)).toBe(true);
    expect(rest.bytes).toBeGreaterThan(0);
    await store.prune({ bytesMax: 0 });
    expect(existsSync(unnamed.folder)).toBe(false);
    expect(existsSync(named.folder)).toBe(true);
  });

  test("removes what dead builders left, and spares what a live build may use", async () => {
    const left = join(temp.path, "images/tmp/build-999999999-1-abc");
    const live = join(temp.path, `images/tmp/build-${process.pid}-x-abc`);
    mkdirSync(left, { recursive: true });
    put("packages/new.deb", 500, 10);
    put("packages/old.deb", 500, 9000);
    const { identifySelf } = await import("../../../src/process/process-identity.ts");
    const own = live.replace("-x-", `-${identifySelf().startTicks ?? "x"}-`);
    mkdirSync(own);
    await store.prune({ bytesMax: 0 });
    expect(existsSync(left)).toBe(false);
    expect(existsSync(own)).toBe(true);
    expect(readdirSync(join(temp.path, "packages"))).toEqual(["new.deb"]);
  });
});

test("an image is for a processor that there are images for", async () => {
  await expect(store.build({ name: "mine", arch: "mips" })).rejects.toMatchObject({
    code: "USAGE",
    hint: "use amd64 or arm64",
  });
});

test("a base image takes no packages", async () => {
  const request = { name: "base", packages: ["git"] };
  await expect(store.build(request)).rejects.toMatchObject({
    code: "USAGE",
    hint: "give the image another name: luminaguard image build NAME --packages git",
  });
});
