/**
 * The kernel of an arm64 image as every loader takes it: the plain `Image`. Its format has no loader of
 * its own for a compressed one (Linux, Documentation/arch/arm64/booting), and Apple's framework starts
 * none. Debian 12 ships it plain; other kernels come in gzip, or as an EFI program that unpacks itself
 * (`zboot`, header in Linux's drivers/firmware/efi/libstub/zboot-header.S).
 */
import { gunzipSync } from "node:zlib";
import { LuminaGuardError } from "../errors.ts";
import type { HostTools } from "./host-tools.ts";

/** far more than any kernel: what unpacks to more is none */
const kernelBytesMax = 512 * 1024 ** 2;
const imageMagic = { offset: 0x38, bytes: Buffer.from("ARM\x64", "latin1") };
const zbootMagic = { offset: 4, bytes: Buffer.from("zimg", "latin1") };
const gzipMagic = { offset: 0, bytes: Buffer.from([0x1f, 0x8b]) };

/** Raises IMAGE_BUILD_FAILED for what is no arm64 kernel. */
export async function unpackArm64Kernel(tools: HostTools, kernel: Buffer): Promise<Buffer> {
  if (has(kernel, imageMagic)) return kernel;
  if (has(kernel, gzipMagic)) return requireImage(gunzip(kernel));
  if (has(kernel, zbootMagic)) return requireImage(await unpackZboot(tools, kernel));
  throw unknown("it begins like none");
}

/** The header says where the payload is, and 32 bytes into it how it is compressed. */
async function unpackZboot(tools: HostTools, kernel: Buffer): Promise<Buffer> {
  if (kernel.length < 64) throw unknown("its header is cut short");
  const from = kernel.readUInt32LE(8);
  const length = kernel.readUInt32LE(12);
  const payload = kernel.subarray(from, from + length);
  if (payload.length !== length) throw unknown("its payload is cut short");
  const kind = /^[a-z0-9]*/.exec(kernel.toString("latin1", 24, 56))?.[0] ?? "";
  if (kind === "gzip") return gunzip(payload);
  const program = programs[kind];
  if (program === undefined) throw unknown(`its payload is ${kind || "of no kind"}`);
  const { stdout } = await tools.run(program, ["--decompress", "--stdout"], {
    input: payload,
    outputBytesMax: kernelBytesMax,
  });
  return stdout;
}

const programs: Readonly<Record<string, string>> = { zstd: "zstd", zstd22: "zstd", xzkern: "xz" };

function gunzip(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: kernelBytesMax });
  } catch (error) {
    throw unknown("it cannot be unpacked", error);
  }
}

function requireImage(kernel: Buffer): Buffer {
  if (has(kernel, imageMagic)) return kernel;
  throw unknown("what it unpacks to is none");
}

function has(bytes: Buffer, magic: { readonly offset: number; readonly bytes: Buffer }): boolean {
  const end = magic.offset + magic.bytes.length;
  return bytes.subarray(magic.offset, end).equals(magic.bytes);
}

function unknown(why: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("IMAGE_BUILD_FAILED", `the package has no arm64 kernel: ${why}`, {
    hint: "use Debian's linux-image-cloud-arm64",
    cause,
  });
}
