/**
 * Which files a repository tracks, and under which object: the names and ids of `.git/index`, versions
 * 2 to 4. Anything that is not understood gives undefined, never a partial list.
 *
 *   "DIRC" version:4 count:4 | entry: stat 40, id 20|32, flags 2 (+2), name, NUL, padding to 8 (v2, v3)
 */

export interface TrackedFile {
  readonly path: string;
  /** object id in hex */
  readonly id: string;
}

const statBytes = 40;
const extendedFlag = 0x4000;

export function parseGitIndex(bytes: Buffer, idBytes: 20 | 32): readonly TrackedFile[] | undefined {
  if (bytes.length < 12 || bytes.toString("latin1", 0, 4) !== "DIRC") return undefined;
  const version = bytes.readUInt32BE(4);
  if (version < 2 || version > 4) return undefined;
  try {
    return readEntries(bytes, idBytes, version, bytes.readUInt32BE(8));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readEntries(
  bytes: Buffer,
  idBytes: number,
  version: number,
  count: number,
): readonly TrackedFile[] {
  const tracked: TrackedFile[] = [];
  let at = 12;
  let previous = Buffer.alloc(0);
  for (let index = 0; index < count; index++) {
    const start = at;
    const id = bytes.toString("hex", at + statBytes, at + statBytes + idBytes);
    at += statBytes + idBytes;
    at += version >= 3 && (bytes.readUInt16BE(at) & extendedFlag) !== 0 ? 4 : 2;
    let kept = Buffer.alloc(0);
    if (version === 4) {
      const strip = readOffset(bytes, at);
      at = strip.next;
      kept = previous.subarray(0, previous.length - strip.value);
    }
    const end = bytes.indexOf(0, at);
    if (end < 0) throw new RangeError("a name without an end");
    previous = Buffer.concat([kept, bytes.subarray(at, end)]);
    tracked.push({ path: previous.toString("utf8"), id });
    at = version === 4 ? end + 1 : start + (Math.floor((end - start) / 8) + 1) * 8;
  }
  return tracked;
}

/** Git's "offset encoding" of version 4: seven bits a byte, each further byte adds one. */
function readOffset(bytes: Buffer, from: number): { value: number; next: number } {
  let at = from;
  let byte = bytes.readUInt8(at++);
  let value = byte & 0x7f;
  while ((byte & 0x80) !== 0) {
    byte = bytes.readUInt8(at++);
    value = (value + 1) * 128 + (byte & 0x7f);
    if (value > 65536) throw new RangeError("an offset longer than a name");
  }
  return { value, next: at };
}
