/** Layers over each other: what a machine's root is, and what no layer may do. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { applyLayers } from "../../../../src/image/oci/apply-layers.ts";
import type { LayerSource } from "../../../../src/image/oci/apply-layers.ts";
import { createLayerTree } from "../../../../src/image/oci/layer-tree.ts";
import type { LayerTree, TreeFolder } from "../../../../src/image/oci/layer-tree.ts";
import { defaultOciLimits } from "../../../../src/image/oci/limits.ts";
import type { OciLimits } from "../../../../src/image/oci/limits.ts";
import { writeTree } from "../../../../src/image/oci/write-tree.ts";
import { createSquashfs } from "../../../../src/image/squashfs.ts";
import { makeTar } from "../../../support/make-tar.ts";
import type { TarItem } from "../../../support/make-tar.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const temp = makeTempDir();
afterAll(() => temp[Symbol.dispose]());
let images = 0;

function source(bytes: Buffer, diffId?: `sha256:${string}`): LayerSource {
  return { bytes: bytes.length, open: () => inPieces(bytes), diffId };
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000)
    yield await Promise.resolve(bytes.subarray(at, at + 1000));
}

async function* listed(layers: readonly LayerSource[]): AsyncGenerator<LayerSource> {
  for (const layer of layers) yield await Promise.resolve(layer);
}

interface Applied {
  readonly tree: LayerTree;
  readonly squashfs: string;
}

async function applySources(
  layers: readonly LayerSource[],
  limits: Partial<OciLimits> = {},
): Promise<Applied> {
  images += 1;
  const squashfs = join(temp.path, `${images}.squashfs`);
  const contents = await createSquashfs(squashfs, 0);
  const tree = createLayerTree(0);
  try {
    await applyLayers(
      listed(layers),
      { tree, contents },
      { limits: { ...defaultOciLimits, ...limits } },
    );
    await writeTree(tree.root, contents);
    await contents.finish();
  } catch (error) {
    await contents.abandon();
    throw error;
  }
  return { tree, squashfs };
}

async function apply(...layers: readonly (readonly TarItem[])[]): Promise<Applied> {
  return applySources(layers.map((items) => source(makeTar(items))));
}

/** Every path, with a slash behind folders. */
function paths(folder: TreeFolder, above = ""): string[] {
  return [...folder.children]
    .sort()
    .flatMap(([name, { node }]) =>
      node.kind === "directory"
        ? [`${above}${name}/`, ...paths(node, `${above}${name}/`)]
        : [`${above}${name}`],
    );
}

const invalid = { code: "IMAGE_INVALID" };

describe("layers over each other", () => {
  test("keep what the upper one brings, and squeeze the lower content out", async () => {
    const large = "x".repeat(300_000);
    const { tree, squashfs } = await apply(
      [
        { path: "./a", content: large },
        { path: "b", content: "lower b" },
      ],
      [{ path: "a", content: "upper a", uid: 7 }],
    );
    expect(paths(tree.root)).toEqual(["a", "b"]);
    expect(tree.find("a")).toMatchObject({ facts: { uid: 7 }, extent: { bytes: 7 } });
    expect(spawnSync("wc", ["-c", squashfs], { encoding: "utf8" }).stdout).toMatch(/^4096 /);
  });

  test("lose what a whiteout names, but not what its own layer brings, in either order", async () => {
    const { tree } = await apply(
      [
        { path: "gone/deep/file", content: "1" },
        { path: "stays", content: "2" },
        { path: "new", content: "old" },
      ],
      [
        { path: ".wh.gone" },
        { path: "new", content: "3" },
        { path: ".wh.new" },
        { path: ".wh.never" },
      ],
    );
    expect(paths(tree.root)).toEqual(["new", "stays"]);
  });

  test("lose all of an opaque folder's lower content, wherever the mark stands", async () => {
    const { tree } = await apply(
      [{ path: "d/low", content: "1" }, { path: "d/e/low", content: "1" }, { path: "keep/x" }],
      [{ path: "d/", type: "5" }, { path: "d/up", content: "2" }, { path: "d/.wh..wh..opq" }],
    );
    expect(paths(tree.root)).toEqual(["d/", "d/up", "keep/", "keep/x"]);
  });

  test("pass over the notes that aufs left", async () => {
    const { tree } = await apply([{ path: ".wh..wh.plnk/1.2" }, { path: ".wh..wh.aufs" }]);
    expect(paths(tree.root)).toEqual([]);
  });

  test("keep a hard link's content when its other name is replaced", async () => {
    const { tree } = await apply(
      [
        { path: "a", content: "one" },
        { path: "b", type: "1", target: "./a" },
      ],
      [{ path: "a", content: "other one" }],
      [{ path: "c", type: "1", target: "/b" }],
    );
    expect(tree.find("b")).toBe(tree.find("c"));
    expect(tree.find("b")).toMatchObject({ extent: { bytes: 3 } });
    expect(tree.find("a")).toMatchObject({ extent: { bytes: 9 } });
  });

  test("follow a link to a folder on the way, within the root", async () => {
    const { tree } = await apply(
      [
        { path: "usr/bin/", type: "5" },
        { path: "bin", type: "2", target: "/usr/bin" },
      ],
      [{ path: "bin/tool", content: "x" }],
    );
    expect(paths(tree.root)).toEqual(["bin", "usr/", "usr/bin/", "usr/bin/tool"]);
  });

  test("let a folder take a link's place, and a file a folder's", async () => {
    const { tree } = await apply(
      [{ path: "l", type: "2", target: "x" }, { path: "d/f" }],
      [
        { path: "l/", type: "5" },
        { path: "d", content: "file" },
      ],
    );
    expect(tree.find("l")?.kind).toBe("directory");
    expect(tree.find("d")?.kind).toBe("file");
  });

  test("may lack what fills the last block and the archive's end, as umoci writes them", async () => {
    const whole = makeTar([{ path: "a" }, { path: "b", content: "last" }]);
    const { tree } = await applySources([source(whole.subarray(0, 3 * 512 - 508))]);
    expect(tree.find("b")).toMatchObject({ extent: { bytes: 4 } });
  });

  test("take the last of two entries of one name", async () => {
    const { tree } = await apply([
      { path: "a", content: "1" },
      { path: "./a", content: "22" },
    ]);
    expect(tree.find("a")).toMatchObject({ extent: { bytes: 2 } });
  });
});

describe("a hostile layer", () => {
  test("cannot leave the root, by its path, by a link, or through one", async () => {
    for (const path of ["../out", "a/../../out", "/../out"]) {
      await expect(apply([{ path, content: "x" }])).rejects.toMatchObject(invalid);
    }
    const { tree } = await apply([
      { path: "up", type: "2", target: "../../../../../../tmp" },
      { path: "up/lg-escaped", content: "x" },
    ]);
    expect(paths(tree.root)).toEqual(["tmp/", "tmp/lg-escaped", "up"]);
    expect(existsSync("/tmp/lg-escaped")).toBe(false);
    await expect(apply([{ path: "l", type: "1", target: "../etc/passwd" }])).rejects.toMatchObject(
      invalid,
    );
    await expect(apply([{ path: "l", type: "1", target: "/etc/passwd" }])).rejects.toThrow(
      "is no file",
    );
  });

  test("is refused where it leads through a file, or through links without end", async () => {
    await expect(apply([{ path: "f" }, { path: "f/g" }])).rejects.toThrow("no folder");
    const loop = [
      { path: "a", type: "2", target: "b" },
      { path: "b", type: "2", target: "a" },
    ];
    await expect(apply([...loop, { path: "a/x" }])).rejects.toThrow("too many links");
    const grows = { path: "g", type: "2", target: `${"g/".repeat(40)}x` };
    await expect(apply([grows, { path: "g/x" }])).rejects.toMatchObject(invalid);
    const deep = Array.from({ length: 600 }, () => "d").join("/");
    await expect(apply([{ path: "x", pax: { path: deep } }])).rejects.toThrow("too deep");
  });

  test("is refused where it unpacks to too much, by size, ratio or count", async () => {
    const zeros = gzipSync(makeTar([{ path: "a", content: Buffer.alloc(4_000_000) }]));
    const unpacks = { unpackedBytesMax: 1_000_000 };
    await expect(applySources([source(zeros)], unpacks)).rejects.toThrow("unpacks to over");
    const ratio = { ratioMax: 100, ratioFromBytes: 1_000_000 };
    await expect(applySources([source(zeros)], ratio)).rejects.toThrow("times its size");
    const many = makeTar(Array.from({ length: 20 }, (_, index) => ({ path: `f${index}` })));
    await expect(applySources([source(many)], { entriesMax: 10 })).rejects.toThrow("over 10 files");
  });

  test("is refused where it is not what the configuration says, or ends in the middle", async () => {
    const bytes = makeTar([{ path: "a", content: "x".repeat(400) }]);
    const other = `sha256:${createHash("sha256").update("other").digest("hex")}` as const;
    await expect(applySources([source(bytes, other)])).rejects.toThrow("another digest");
    await expect(applySources([source(bytes.subarray(0, 700))])).rejects.toThrow("in the middle");
    const packed = gzipSync(bytes);
    await expect(applySources([source(packed.subarray(0, 40))])).rejects.toThrow("not whole gzip");
    await expect(applySources([source(Buffer.alloc(600, "x"))])).rejects.toThrow("not a");
  });

  test("brings no attribute that the overlay itself goes by", async () => {
    const { tree } = await apply([
      {
        path: "d/",
        type: "5",
        pax: { "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.note": "kept" },
      },
    ]);
    expect([...(tree.find("d")?.facts.xattrs.keys() ?? [])]).toEqual(["user.note"]);
  });
});

const unsquashfs = spawnSync("unsquashfs", ["-help"]).error === undefined;
describe.skipIf(!unsquashfs)("the squashfs of it (needs squashfs-tools)", () => {
  test("has owners, modes, devices, links and attributes as the layer had them", async () => {
    const capability = Buffer.from("0100000280ff00000000000000000000ff000000", "hex");
    const { squashfs } = await apply([
      {
        path: "ping",
        content: "x",
        mode: 0o4755,
        uid: 70_000,
        pax: { "SCHILY.xattr.security.capability": capability },
      },
      { path: "other", type: "1", target: "ping" },
      { path: "null", type: "3", device: [1, 3], mode: 0o666 },
      { path: "disk", type: "4", device: [259, 30], mode: 0o660, gid: 6 },
      { path: "pipe", type: "6" },
      { path: "out", type: "2", target: "/etc/shadow", pax: { "SCHILY.xattr.user.x": "link" } },
      { path: "ünïcode", content: "y" },
    ]);
    const { stdout } = spawnSync("unsquashfs", ["-lln", squashfs], { encoding: "utf8" });
    const lines = stdout.replaceAll(/ +/g, " ").split("\n");
    const line = (name: string): string => lines.find((each) => each.includes(`/${name}`)) ?? "";
    expect(line("ping")).toMatch(/^-rwsr-xr-x 70000\/0 1 /);
    expect(line("null")).toMatch(/^crw-rw-rw- 0\/0 1, 3 /);
    expect(line("disk")).toMatch(/^brw-rw---- 0\/6 259, 30 /);
    expect(line("pipe")).toMatch(/^p/);
    expect(line("out")).toContain("-> /etc/shadow");
    expect(line("ünïcode")).toMatch(/^-/);
    const root = join(temp.path, "unpacked");
    const unpacked = spawnSync("unsquashfs", ["-q", "-n", "-dest", root, squashfs, "ping"]);
    const shown = spawnSync(
      "getfattr",
      ["-e", "hex", "-n", "security.capability", join(root, "ping")],
      { encoding: "utf8" },
    );
    if (process.getuid?.() === 0 && shown.error === undefined && unpacked.status === 0)
      expect(shown.stdout).toContain(capability.toString("hex"));
  });
});
