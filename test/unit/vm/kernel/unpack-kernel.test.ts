import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { KernelStore } from "../../../../src/vm/kernel/kernel-store.ts";
import { unpackLz4Legacy } from "../../../../src/vm/kernel/lz4.ts";
import { unpackKernel } from "../../../../src/vm/kernel/unpack-kernel.ts";
import { makeTempDir } from "../../../support/make-tree.ts";
import {
  packKernel,
  packLz4Legacy,
  toUint32,
  wrapInBzImage,
} from "../../../support/pack-kernel.ts";

const kernel = Buffer.concat([Buffer.from("\x7fELF", "latin1"), randomBytes(100_000)]);
const magic = Buffer.from([0x02, 0x21, 0x4c, 0x18]);

/** One block of a legacy frame, as bytes that stand in LZ4's description of the format. */
function frame(...block: number[]): Buffer {
  return Buffer.concat([magic, toUint32(block.length), Buffer.from(block)]);
}

describe("LZ4", () => {
  it("copies what came before, also what the copy itself writes", () => {
    // "ab", then 8 bytes from 2 back, then the last literal
    const packed = frame(0x24, 0x61, 0x62, 0x02, 0x00, 0x10, 0x63);
    expect(unpackLz4Legacy(packed, 11).toString()).toBe("ababababab" + "c");
  });

  it("reads lengths that go on, and more than one block", () => {
    const content = Buffer.concat([Buffer.alloc(300, 0x61), randomBytes(1_000)]);
    expect(unpackLz4Legacy(packLz4Legacy(content, 100), content.length).equals(content)).toBe(true);
    // one "a", then 15 + 255 + 10 + 4 more of them
    const packed = frame(0x1f, 0x61, 0x01, 0x00, 0xff, 0x0a, 0x00);
    expect(unpackLz4Legacy(packed, 285).toString()).toBe("a".repeat(285));
  });

  it.each([
    ["no magic number", Buffer.alloc(20), 1],
    ["a block longer than the frame", Buffer.concat([magic, toUint32(9), Buffer.alloc(4)]), 1],
    ["no block", magic, 1],
    ["an empty block", Buffer.concat([magic, toUint32(0), Buffer.alloc(9)]), 1],
    ["a match before the beginning", frame(0x10, 0x61, 0x02, 0x00, 0x00), 9],
    ["a match from nowhere", frame(0x10, 0x61, 0x00, 0x00, 0x00), 9],
    ["a match past the end", frame(0x1f, 0x61, 0x01, 0x00, 0xff, 0xff, 0x00), 20],
    ["literals past the end", frame(0x50, 0x61, 0x61, 0x61, 0x61, 0x61), 4],
    ["literals that are not there", frame(0xf0, 0xff), 400],
    ["a length that has no end", frame(0xf0, 0xff, 0xff), 900],
  ])("refuses %s", (_, packed, bytes) => {
    expect(() => unpackLz4Legacy(packed, bytes)).toThrow(/LZ4 data is broken/);
  });
});

describe("a kernel", () => {
  it.each(["lz4", "gzip", "zstd"] as const)("comes out of a bzImage packed with %s", (packing) => {
    expect(unpackKernel(packKernel(kernel, packing)).equals(kernel)).toBe(true);
  });

  it("is taken as it is where it is not packed: ELF, and arm64's Image", () => {
    const image = Buffer.alloc(100);
    image.write("ARMd", 0x38, "latin1");
    expect(unpackKernel(kernel)).toBe(kernel);
    expect(unpackKernel(image)).toBe(image);
    expect(unpackKernel(gzipSync(image)).equals(image)).toBe(true);
  });

  it.each([
    ["xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0, 0, 0, 0])],
    ["bzip2", Buffer.from("BZh91AY&SY")],
    ["LZMA", Buffer.from([0x5d, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ["LZO", Buffer.from([0x89, 0x4c, 0x5a, 0x4f, 0, 0, 0, 0, 0, 0])],
  ])("packed with %s is refused by that name, with what to use", (name, payload) => {
    expect(() => unpackKernel(wrapInBzImage(payload))).toThrow(
      expect.objectContaining({
        code: "IMAGE_INVALID",
        message: expect.stringContaining(`it is packed with ${name}`) as unknown,
        hint: expect.stringContaining("LZ4, gzip") as unknown,
      }),
    );
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("#!/bin/sh\n")],
    ["a bzImage of an old protocol", wrapInBzImage(gzipSync(kernel), 0x205)],
    ["a bzImage that is cut", packKernel(kernel, "gzip").subarray(0, 5_000)],
    ["something else packed", wrapInBzImage(gzipSync(Buffer.alloc(5_000)))],
  ])("is not found in %s", (_, file) => {
    expect(() => unpackKernel(file)).toThrow(expect.objectContaining({ code: "IMAGE_INVALID" }));
  });

  it.each(["lz4", "gzip", "zstd"] as const)("larger than its bound is refused: %s", (packing) => {
    expect(() => unpackKernel(packKernel(kernel, packing), 50_000)).toThrow(/cannot be unpacked/);
  });
});

describe("the store of kernels", () => {
  it("unpacks a kernel once, and again where it was changed", async () => {
    using temp = makeTempDir();
    const packed = join(temp.path, "vmlinuz");
    writeFileSync(packed, packKernel(kernel, "lz4"));
    const folder = join(temp.path, "kernels");
    const store = new KernelStore(folder);
    const path = await store.open(packed);
    const { mtimeMs } = statSync(path);
    expect(readFileSync(path).equals(kernel)).toBe(true);
    expect(await store.open(packed)).toBe(path);
    expect(statSync(path).mtimeMs).toBe(mtimeMs);
    writeFileSync(path, "another kernel");
    expect(await store.open(packed)).toBe(path);
    expect(readFileSync(path).equals(kernel)).toBe(true);
    expect(readdirSync(folder)).toHaveLength(1);
  });
});
