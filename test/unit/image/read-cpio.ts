/** Reads a newc archive, written apart from the writer under test. */
interface CpioRecord {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: number;
  readonly device: readonly [number, number];
  readonly content: Buffer;
}

export function readCpio(bytes: Buffer): CpioRecord[] {
  const records: CpioRecord[] = [];
  for (let at = 0; ;) {
    if (bytes.toString("latin1", at, at + 6) !== "070701") throw new Error(`no header at ${at}`);
    const field = (index: number): number =>
      Number.parseInt(bytes.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    const path = bytes.toString("utf8", at + 110, at + 110 + nameSize - 1);
    const start = align(at + 110 + nameSize);
    if (path === "TRAILER!!!") return records;
    records.push({
      path,
      mode: field(1),
      uid: field(2),
      gid: field(3),
      links: field(4),
      mtime: field(5),
      device: [field(9), field(10)],
      content: bytes.subarray(start, start + size),
    });
    at = align(start + size);
  }
}

function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
