/**
 * The extended attributes of a squashfs file system: lists of names and values, each list kept once,
 * and an index by which inodes name them. Format: the kernel's fs/squashfs/xattr.c and xattr_id.c.
 */
import { createMetadataTable, encodeMetadata, metadataBytes, noXattrs } from "./squashfs-tables.ts";
import type { MetadataReference } from "./squashfs-tables.ts";

/** Values by full name, such as `security.capability`. */
export type Xattrs = ReadonlyMap<string, Buffer>;

export interface XattrTable {
  /** the number by which an inode names this set; `noXattrs` where nothing of it can be kept */
  readonly add: (xattrs: Xattrs | undefined) => number;
  /** the bytes that stand at `start`, and where the index in them begins; undefined without attributes */
  readonly encode: (start: number) => { bytes: Buffer; indexStart: number } | undefined;
}

/** squashfs keeps these namespaces and no other */
const prefixes = ["user.", "trusted.", "security."] as const;

interface KeptList {
  readonly place: MetadataReference;
  readonly count: number;
  readonly bytes: number;
}

export function createXattrTable(): XattrTable {
  const values = createMetadataTable();
  const lists: KeptList[] = [];
  const known = new Map<string, number>();
  return {
    add: (xattrs) => {
      const pairs = encodePairs(xattrs ?? new Map());
      if (pairs.length === 0) return noXattrs;
      const content = Buffer.concat(pairs);
      const key = content.toString("latin1");
      const found = known.get(key);
      if (found !== undefined) return found;
      const place = values.append(content);
      lists.push({ place, count: pairs.length, bytes: content.length });
      known.set(key, lists.length - 1);
      return lists.length - 1;
    },
    encode: (start) => {
      if (lists.length === 0) return undefined;
      const pairs = values.encode();
      const ids = Buffer.concat(lists.map(encodeList));
      const idBlocks = encodeMetadata(ids);
      const head = Buffer.alloc(16);
      head.writeBigUInt64LE(BigInt(start), 0);
      head.writeUInt32LE(lists.length, 8);
      const index = Buffer.alloc(Math.ceil(ids.length / metadataBytes) * 8);
      for (let block = 0; block * 8 < index.length; block += 1) {
        const at = start + pairs.length + block * (metadataBytes + 2);
        index.writeBigUInt64LE(BigInt(at), block * 8);
      }
      const indexStart = start + pairs.length + idBlocks.length;
      return { bytes: Buffer.concat([pairs, idBlocks, head, index]), indexStart };
    },
  };
}

function encodePairs(xattrs: Xattrs): Buffer[] {
  const sorted = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([name, value]) => {
    const type = prefixes.findIndex((prefix) => name.startsWith(prefix));
    if (type < 0) return [];
    const rest = Buffer.from(name.slice(prefixes[type]?.length));
    const head = Buffer.alloc(4);
    head.writeUInt16LE(type, 0);
    head.writeUInt16LE(rest.length, 2);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(value.length);
    return [Buffer.concat([head, rest, size, value])];
  });
}

function encodeList({ place, count, bytes }: KeptList): Buffer {
  const entry = Buffer.alloc(16);
  entry.writeBigUInt64LE((BigInt(place.block) << 16n) | BigInt(place.offset), 0);
  entry.writeUInt32LE(count, 8);
  entry.writeUInt32LE(bytes, 12);
  return entry;
}
