/** Archives as tests want them, hostile ones too: what is said is written, right or wrong. */
export interface TarItem {
  readonly path: string;
  /** @default "0": a file */
  readonly type?: string;
  readonly content?: string | Buffer;
  readonly target?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly device?: readonly [number, number];
  /** extended records before it */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** what the header says, whatever there is */
  readonly bytes?: number;
}

const blockBytes = 512;

export function makeTar(items: readonly TarItem[]): Buffer {
  return Buffer.concat([...items.map(encodeItem), Buffer.alloc(2 * blockBytes)]);
}

function encodeItem(item: TarItem): Buffer {
  const content = Buffer.from(item.content ?? "");
  const pax = item.pax === undefined ? [] : [encodePax(item.pax)];
  const header = encodeHeader({ ...item, bytes: item.bytes ?? content.length });
  return Buffer.concat([...pax, header, pad(content)]);
}

function encodePax(records: Readonly<Record<string, string | Buffer>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length += 1;
    return Buffer.concat([Buffer.from(String(length)), rest]);
  });
  const content = Buffer.concat(lines);
  const header = encodeHeader({ path: "PaxHeader", type: "x", bytes: content.length });
  return Buffer.concat([header, pad(content)]);
}

function encodeHeader(item: TarItem): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
  };
  block.write(item.path, 0, 100);
  octal(item.mode ?? 0o644, 100, 8);
  octal(item.uid ?? 0, 108, 8);
  octal(item.gid ?? 0, 116, 8);
  octal(item.bytes ?? 0, 124, 12);
  octal(1_700_000_000, 136, 12);
  block.write(item.type ?? "0", 156, "latin1");
  block.write(item.target ?? "", 157, 100);
  block.write("ustar\x0000", 257, "latin1");
  octal(item.device?.[0] ?? 0, 329, 8);
  octal(item.device?.[1] ?? 0, 337, 8);
  block.fill(0x20, 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

function pad(content: Buffer): Buffer {
  return Buffer.concat([
    content,
    Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes),
  ]);
}
