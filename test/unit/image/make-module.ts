/** A kernel module as far as its `.modinfo` goes: a small ELF-64 file. */
export function makeModule(facts: readonly string[]): Buffer {
  const modinfo = Buffer.from(facts.map((fact) => `${fact}\0`).join(""));
  const names = Buffer.from("\0.modinfo\0.shstrtab\0");
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x7f454c46, 0);
  header[4] = 2; // 64 bits
  header[5] = 1; // little endian
  header.writeBigUInt64LE(BigInt(64 + modinfo.length + names.length), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(2, 62);
  const section = (name: number, offset: number, size: number): Buffer => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32LE(name, 0);
    bytes.writeBigUInt64LE(BigInt(offset), 24);
    bytes.writeBigUInt64LE(BigInt(size), 32);
    return bytes;
  };
  return Buffer.concat([
    header,
    modinfo,
    names,
    section(0, 0, 0),
    section(1, 64, modinfo.length),
    section(10, 64 + modinfo.length, names.length),
  ]);
}
