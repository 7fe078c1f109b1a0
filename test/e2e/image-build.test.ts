/** Builds real images from the host's package lists. Takes a network, or a filled archive mirror. */
import { cpSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { digestGuestSources } from "../../src/image/guest-sources.ts";
import { createImageStore } from "../../src/image/image-store.ts";
import type { BuildProgress } from "../../src/image/build-image.ts";
import type { ImageStore } from "../../src/image/image-store.ts";
import { makeTempDir } from "../support/make-tree.ts";

const hasLists = listFolder("/var/lib/apt/lists").some((name) => name.includes("_Packages"));
if (!hasLists) {
  const reason = "no Debian package lists on this host (sudo apt-get update)";
  if (process.env["REQUIRE_IMAGES"] === "1") throw new Error(reason);
  console.warn(`image builds are skipped: ${reason}`);
}

const temp = makeTempDir();
afterAll(() => temp[Symbol.dispose]());
const env = Object.fromEntries(
  Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
);
let stores = 0;
/** A store of its own; with the packages another one fetched, but not what it built of them. */
function makeStore(packagesOf?: string): ImageStore & { cacheDir: string } {
  stores += 1;
  const cacheDir = join(temp.path, `cache-${stores}`);
  if (packagesOf !== undefined)
    cpSync(join(packagesOf, "packages"), join(cacheDir, "packages"), { recursive: true });
  return { ...createImageStore({ cacheDir, env }), cacheDir };
}

describe.skipIf(!hasLists)("image builds (need Debian package lists)", () => {
  const one = makeStore();

  test("make the same base image twice, byte for byte", async () => {
    const phases: BuildProgress["phase"][] = [];
    const onProgress = ({ phase }: BuildProgress): number => phases.push(phase);
    const first = await one.build({ name: "base" }, { onProgress });
    expect([...new Set(phases)]).toEqual(["packages", "guest", "initramfs", "publish"]);
    expect(first.manifest).toMatchObject({ kind: "base", requested: [] });
    expect(first.manifest.guest.sourcesSha256).toBe(await digestGuestSources());

    const two = makeStore(one.cacheDir);
    const second = await two.build({ name: "base" });
    expect(second.digest).toBe(first.digest);
    for (const { path } of first.manifest.files) {
      expect(
        readFileSync(join(second.folder, path)).equals(readFileSync(join(first.folder, path))),
      ).toBe(true);
    }
  });

  test("put licence texts and the reference to the source with the image", async () => {
    const { folder, manifest } = await one.open("base");
    const paths = manifest.files.map(({ path }) => path);
    for (const path of [
      "licences/busybox-static/copyright",
      "licences/common-licenses/GPL-2",
      "licences/common-licenses/LGPL-2.1",
    ]) {
      expect(paths).toContain(path);
    }
    expect(paths.some((path) => /^licences\/linux-image-.*\/copyright$/.test(path))).toBe(true);
    expect(paths.some((path) => path.startsWith("licences/guest/"))).toBe(true);
    const sources = readFileSync(join(folder, "SOURCES.txt"), "utf8");
    for (const name of ["linux", "busybox", "glibc"]) {
      expect(sources).toMatch(new RegExp(`^apt-get source --download-only ${name}=\\S+$`, "m"));
    }
  });

  test("make the same image of packages twice, with all they need", async () => {
    const packages = ["python3-minimal", "ca-certificates"];
    const first = await one.build({ name: "python", packages });
    const second = await makeStore(one.cacheDir).build({
      name: "other",
      packages: packages.toReversed(),
    });
    expect(second.digest).toBe(first.digest);
    expect(first.rootLayerPath).toBe(join(first.folder, "root.squashfs"));
    const names = first.manifest.packages
      .filter(({ use }) => use === "layer")
      .map(({ name }) => name);
    for (const name of ["python3-minimal", "libc6", "openssl"]) expect(names).toContain(name);
    expect((await one.list()).map(({ name }) => name)).toEqual(["base", "python"]);
  });

  test("heal a tampered image, which is refused until then", async () => {
    const image = await one.open("base");
    const kernel = readFileSync(image.kernelPath);
    kernel.writeUInt8(kernel.readUInt8(5000) ^ 1, 5000);
    writeFileSync(image.kernelPath, kernel);
    await expect(one.open("base")).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      hint: "build it again: luminaguard image build base",
    });
    expect((await one.build({ name: "base" })).digest).toBe(image.digest);
    expect((await one.verify("base")).digest).toBe(image.digest);
  });

  test("of the same image at the same time all succeed", async () => {
    const images = await Promise.all([one.build({ name: "a" }), one.build({ name: "b" })]);
    expect(images[0].digest).toBe(images[1].digest);
    expect(readdirSync(join(one.cacheDir, "images/tmp"))).toEqual([]);
  });

  test("use a fetched package again only where it is the one that was fetched", async () => {
    const { manifest } = await one.open("base");
    const busybox = manifest.packages.find(({ name }) => name === "busybox-static");
    const path = join(one.cacheDir, "packages", `${busybox?.sha256 ?? ""}.deb`);
    const fetched = readFileSync(path);
    writeFileSync(path, "not a package");
    await one.build({ name: "base" });
    expect(readFileSync(path).equals(fetched)).toBe(true);
  });

  test("make the guest agent with Debian's Go where PATH has no newer one", async () => {
    const cacheDir = join(temp.path, "debian-go");
    const store = createImageStore({ cacheDir, env: { ...env, PATH: "/usr/bin:/bin" } });
    const image = await store.build({ name: "base" });
    expect(image.manifest.guest.go).toMatch(/^go1\.(?:19|[2-9]\d)/);
    expect(
      image.manifest.files.filter(({ path }) => path.startsWith("licences/guest/")).length,
    ).toBeGreaterThan(1);
    expect(await store.isCurrent(image)).toBe(true);
  });

  test("stop when their caller does, and leave nothing", async () => {
    const stop = new AbortController();
    const onProgress = ({ phase }: BuildProgress): void => {
      if (phase === "initramfs") stop.abort(new Error("enough"));
    };
    await expect(one.build({ name: "c" }, { signal: stop.signal, onProgress })).rejects.toThrow(
      "enough",
    );
    expect(readdirSync(join(one.cacheDir, "images/tmp"))).toEqual([]);
    await expect(one.open("c")).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
  });

  test("say what a package is probably called, and what to do without package lists", async () => {
    const misspelt = one.build({ name: "x", packages: ["python3-minimla"] });
    await expect(misspelt).rejects.toMatchObject({
      code: "IMAGE_BUILD_FAILED",
      message: "Debian has no package python3-minimla",
      hint: expect.stringContaining("python3-minimal") as string,
    });
    const empty = createImageStore({
      cacheDir: join(temp.path, "none"),
      env,
      aptListsDir: join(temp.path, "none"),
    });
    await expect(empty.build({ name: "base" })).rejects.toMatchObject({
      code: "IMAGE_BUILD_FAILED",
      hint: "sudo apt-get update",
    });
  });
});

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // not a Debian host
  }
}
