/**
 * Tar headers as pax writes them: ustar, with an extended header before it when a name, a link or a size
 * does not fit. Only the three kinds that a workspace has.
 */

export const tarBlockBytes = 512;

export interface TarHeader {
  readonly kind: "file" | "folder" | "link";
  readonly path: string;
  readonly target?: string;
  readonly mode: number;
  /** content size in `bytes`; zero for folders and links */
  readonly size: number;
  readonly mtimeMs: number;
  readonly uid: number;
  readonly gid: number;
}

/** largest number that eleven octal digits hold */
const octalMax = 0o77777777777;

export function encodeTarHeader(header: TarHeader): Buffer {
  const name = header.kind === "folder" ? `${header.path}/` : header.path;
  const target = header.target ?? "";
  const extended: [string, string][] = [];
  if (!fits(name)) extended.push(["path", name]);
  if (!fits(target)) extended.push(["linkpath", target]);
  if (header.size > octalMax) extended.push(["size", String(header.size)]);
  const plain = encodeBlock({
    ...header,
    name: fits(name) ? name : "long",
    target: fits(target) ? target : "long",
  });
  if (extended.length === 0) return plain;
  const records = Buffer.concat(extended.map(([key, value]) => encodeRecord(key, value)));
  const lead = encodeBlock({
    ...header,
    kind: "pax",
    name: "pax",
    target: "",
    size: records.length,
  });
  return Buffer.concat([lead, records, tarPadding(records.length), plain]);
}

/** The zeroes after `size` bytes of content. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes);
}

/** Two blocks of zeroes. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * tarBlockBytes);
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= 100 && /^[\x20-\x7e]*$/.test(text);
}

/** `27 path=…\n`, where the number counts itself. */
function encodeRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

const typeFlags = { file: "0", link: "2", folder: "5", pax: "x" } as const;

interface Block extends Omit<TarHeader, "kind" | "path"> {
  readonly kind: keyof typeof typeFlags;
  readonly name: string;
  readonly target: string;
}

function encodeBlock(block: Block): Buffer {
  const bytes = Buffer.alloc(tarBlockBytes);
  const octal = (value: number, at: number, digits: number): void => {
    const whole = Math.min(Math.max(0, Math.floor(value)), 8 ** digits - 1);
    bytes.write(whole.toString(8).padStart(digits, "0"), at, "latin1");
  };
  bytes.write(block.name, 0, "latin1");
  octal(block.mode & 0o777, 100, 7);
  octal(block.uid, 108, 7);
  octal(block.gid, 116, 7);
  octal(block.size > octalMax ? 0 : block.size, 124, 11);
  octal(block.mtimeMs / 1000, 136, 11);
  bytes.fill(" ", 148, 156);
  bytes.write(typeFlags[block.kind], 156, "latin1");
  bytes.write(block.target, 157, "latin1");
  bytes.write("ustar\x0000", 257, "latin1");
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}
