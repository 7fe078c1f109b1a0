import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unpackArm64Kernel } from "../../../src/image/arm64-kernel.ts";
import { createHostTools } from "../../../src/image/host-tools.ts";
import { isLuminaGuardError } from "../../../src/errors.ts";

const tools = createHostTools({});
const plain = Buffer.alloc(4096, 7);
plain.write("ARM\x64", 0x38, "latin1");

/** Header of an EFI program that unpacks itself: Linux, drivers/firmware/efi/libstub/zboot-header.S. */
function zboot(payload: Buffer, kind: string, length = payload.length): Buffer {
  const header = Buffer.alloc(64);
  header.write("MZ", 0, "latin1");
  header.write("zimg", 4, "latin1");
  header.writeUInt32LE(64, 8);
  header.writeUInt32LE(length, 12);
  header.write(kind, 24, "latin1");
  return Buffer.concat([header, payload]);
}

describe("an arm64 kernel", () => {
  it("that is plain stays as it is", async () => {
    expect(await unpackArm64Kernel(tools, plain)).toBe(plain);
  });

  it.each([
    ["gzip", gzipSync(plain)],
    ["an EFI program of gzip", zboot(gzipSync(plain), "gzip")],
  ])("in %s is unpacked", async (_, kernel) => {
    expect((await unpackArm64Kernel(tools, kernel)).equals(plain)).toBe(true);
  });

  it("in an EFI program of xz is unpacked by the program for it", async () => {
    const { stdout } = await tools.run("xz", ["--stdout"], { input: plain });
    const kernel = zboot(stdout, "xzkern");
    expect((await unpackArm64Kernel(tools, kernel)).equals(plain)).toBe(true);
  });

  it.each([
    ["of another processor", Buffer.alloc(4096, 1), "begins like none"],
    ["that unpacks to something else", gzipSync(Buffer.alloc(100)), "unpacks to is none"],
    ["that is cut short", gzipSync(plain).subarray(0, 30), "cannot be unpacked"],
    ["whose payload is cut short", zboot(gzipSync(plain), "gzip", 9999), "payload is cut short"],
    ["of an unknown kind", zboot(gzipSync(plain), "lz99"), "payload is lz99"],
  ])("%s is refused", async (_, kernel, why) => {
    await expect(unpackArm64Kernel(tools, kernel)).rejects.toMatchObject({
      code: "IMAGE_BUILD_FAILED",
      message: expect.stringContaining(why) as unknown,
    });
  });

  it("is a kernel or an error of ours, whatever the bytes", async () => {
    const heads = fc.constantFrom(Buffer.from([0x1f, 0x8b]), zboot(Buffer.alloc(0), "gzip", 20));
    await fc.assert(
      fc.asyncProperty(heads, fc.uint8Array({ maxLength: 200 }), async (head, rest) => {
        const kernel = Buffer.concat([head, rest]);
        const outcome = await unpackArm64Kernel(tools, kernel).catch((error: unknown) => error);
        expect(Buffer.isBuffer(outcome) || isLuminaGuardError(outcome)).toBe(true);
      }),
    );
  });
});
