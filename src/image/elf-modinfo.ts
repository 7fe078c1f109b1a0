/**
 * Reads what a kernel module says about itself: the `.modinfo` section of its ELF file, a list of
 * `key=value` strings. Debian's kernel packages have no modules.dep (depmod writes it at install
 * time), so the dependencies come from here, where depmod's own base facts come from too.
 * ELF-64 little endian only, which amd64 and arm64 are (System V ABI, chapter 4).
 */
import { LuminaGuardError } from "../errors.ts";

/** All values of each key, in file order; IMAGE_BUILD_FAILED where the bytes are no module. */
export function parseModinfo(bytes: Buffer, what: string): Map<string, string[]> {
  const section = findSection(bytes, ".modinfo", what);
  const facts = new Map<string, string[]>();
  for (const line of section.toString("utf8").split("\0")) {
    const equals = line.indexOf("=");
    if (equals <= 0) continue;
    const key = line.slice(0, equals);
    facts.set(key, [...(facts.get(key) ?? []), line.slice(equals + 1)]);
  }
  return facts;
}

/** Names of the modules that must be loaded before this one, with `_` for `-`. */
export function parseDepends(bytes: Buffer, what: string): string[] {
  const values = parseModinfo(bytes, what).get("depends") ?? [];
  return values
    .flatMap((value) => value.split(","))
    .filter((name) => name !== "")
    .map(moduleName);
}

/** The kernel's spelling of a module's name: `-` and `_` are the same to it. */
export function moduleName(text: string): string {
  return text.replaceAll("-", "_");
}

const headerBytes = 64;
const sectionHeaderBytes = 64;

function findSection(bytes: Buffer, wanted: string, what: string): Buffer {
  const notElf = (): LuminaGuardError =>
    new LuminaGuardError(
      "IMAGE_BUILD_FAILED",
      `${what} is not a kernel module this version can read`,
    );
  const isElf = bytes.length >= headerBytes && bytes.readUInt32BE(0) === 0x7f454c46;
  if (!isElf || bytes[4] !== 2 || bytes[5] !== 1) throw notElf();
  const tableOffset = Number(bytes.readBigUInt64LE(40));
  const entryBytes = bytes.readUInt16LE(58);
  const count = bytes.readUInt16LE(60);
  const namesIndex = bytes.readUInt16LE(62);
  const tableEnds = tableOffset + count * entryBytes;
  if (entryBytes < sectionHeaderBytes || tableEnds > bytes.length || namesIndex >= count)
    throw notElf();
  const contentOf = (index: number): Buffer => {
    const at = tableOffset + index * entryBytes;
    const offset = Number(bytes.readBigUInt64LE(at + 24));
    return bytes.subarray(offset, offset + Number(bytes.readBigUInt64LE(at + 32)));
  };
  const names = contentOf(namesIndex);
  for (let index = 0; index < count; index += 1) {
    const nameAt = bytes.readUInt32LE(tableOffset + index * entryBytes);
    const nameEnd = names.indexOf(0, nameAt);
    if (names.toString("latin1", nameAt, nameEnd) === wanted) return contentOf(index);
  }
  throw notElf();
}
