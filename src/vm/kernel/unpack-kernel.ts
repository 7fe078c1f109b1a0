/**
 * Takes the kernel itself out of the file a distribution ships: the ELF file that a bzImage unpacks in
 * memory, or the Image of arm64. Linux's documents arch/x86/boot (the boot protocol: `payload_offset`
 * from version 2.08) and arch/arm64/booting. The bytes are a package's: nothing in them is believed.
 */
import zlib from "node:zlib";
import { decompress } from "fzstd";
import { LuminaGuardError, messageOf } from "../../errors.ts";
import { lz4LegacyMagic, unpackLz4Legacy } from "./lz4.ts";

/** largest kernel, unpacked, in `bytes`; Debian's cloud kernel for x86 is about 45 MiB */
const kernelBytesMax = 512 * 1024 ** 2;
const elfMagic = Buffer.from("\x7fELF", "latin1");
const headerBytesMin = 0x260;
const protocolMin = 0x208;

/** Raises IMAGE_INVALID where the file is no kernel, or packed in a way that cannot be read here. */
export function unpackKernel(file: Buffer, kernelMax: number = kernelBytesMax): Buffer {
  if (isKernel(file)) return file;
  if (isBzImage(file)) return requireKernel(unpack(payloadOf(file), kernelMax));
  return requireKernel(unpack(file, kernelMax));
}

/** What a hypervisor loads as it is: an ELF file, or arm64's Image. */
function isKernel(file: Buffer): boolean {
  return (
    file.subarray(0, 4).equals(elfMagic) ||
    file.subarray(0x38, 0x3c).toString("latin1") === "ARM\x64"
  );
}

function requireKernel(unpacked: Buffer): Buffer {
  if (isKernel(unpacked)) return unpacked;
  throw invalid("what is packed in it is no kernel");
}

function isBzImage(file: Buffer): boolean {
  return file.length >= headerBytesMin && file.subarray(0x202, 0x206).toString("latin1") === "HdrS";
}

function payloadOf(file: Buffer): Buffer {
  const protocol = file.readUInt16LE(0x206);
  if (protocol < protocolMin) {
    throw invalid(
      `its boot protocol is ${(protocol >> 8).toString()}.${protocol & 255}, before 2.8`,
    );
  }
  const setupSectors = file.readUInt8(0x1f1) || 4; // 0 means 4, as of old
  const start = (setupSectors + 1) * 512 + file.readUInt32LE(0x248);
  const end = start + file.readUInt32LE(0x24c);
  if (end > file.length || end - start < 8) throw invalid("its payload is not in the file");
  return file.subarray(start, end);
}

type Unpacker = (payload: Buffer, bytesMax: number) => Buffer;

interface Packing {
  readonly name: string;
  readonly magic: Buffer;
  /** absent: neither Node nor a library of this project reads it */
  readonly unpack?: Unpacker;
}

/** Linux's lib/decompress.c tells them apart by these. */
const packings: readonly Packing[] = [
  { name: "gzip", magic: Buffer.from([0x1f, 0x8b]), unpack: unpackGzip },
  { name: "LZ4", magic: toBytes(lz4LegacyMagic), unpack: unpackLz4 },
  { name: "zstd", magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), unpack: unpackZstd },
  { name: "xz", magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
  { name: "bzip2", magic: Buffer.from("BZh") },
  { name: "LZMA", magic: Buffer.from([0x5d, 0x00, 0x00]) },
  { name: "LZO", magic: Buffer.from([0x89, 0x4c, 0x5a]) },
];

function unpack(payload: Buffer, bytesMax: number): Buffer {
  const found = packings.find(({ magic }) => payload.subarray(0, magic.length).equals(magic));
  if (found === undefined) throw invalid("it is neither a kernel nor one packed in a known way");
  if (found.unpack === undefined) {
    throw invalid(`it is packed with ${found.name}, which cannot be read here`, {
      hint: "use a kernel packed with LZ4, gzip or zstd, such as Debian's linux-image-cloud",
    });
  }
  try {
    return found.unpack(payload, bytesMax);
  } catch (error) {
    throw invalid(`its ${found.name} data is broken: ${messageOf(error)}`, { cause: error });
  }
}

/** The kernel's build puts the unpacked size behind the data, in four bytes. */
function sizeBehind(payload: Buffer, bytesMax: number): number {
  const bytes = payload.readUInt32LE(payload.length - 4);
  if (bytes === 0 || bytes > bytesMax) throw new Error(`it would be ${bytes} bytes`);
  return bytes;
}

function unpackLz4(payload: Buffer, bytesMax: number): Buffer {
  if (payload.length < 8) throw new Error("it is cut short");
  return unpackLz4Legacy(payload.subarray(0, -4), sizeBehind(payload, bytesMax));
}

function unpackGzip(payload: Buffer, bytesMax: number): Buffer {
  return zlib.gunzipSync(payload, { maxOutputLength: bytesMax });
}

function unpackZstd(payload: Buffer, bytesMax: number): Buffer {
  if (payload.length < 8) throw new Error("it is cut short");
  const room = Buffer.alloc(sizeBehind(payload, bytesMax));
  return Buffer.from(decompress(payload.subarray(0, -4), room));
}

function toBytes(magic: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(magic);
  return bytes;
}

function invalid(
  why: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): LuminaGuardError {
  return new LuminaGuardError("IMAGE_INVALID", `the kernel cannot be unpacked: ${why}`, options);
}
