/**
 * Encodes the tables of a squashfs 4.0 file system, all uncompressed. Format: the kernel's
 * fs/squashfs/squashfs_fs.h; little endian throughout.
 *
 *   superblock 96 B · file data · inode table · directory table · id table · id index · attributes
 *
 * A table is a row of metadata blocks: two bytes length (with the bit for "not compressed"), then
 * up to 8 KiB. A place in one is a reference: offset of the block in the table, and within it.
 */

/** data block of a file, in `bytes`; power of two */
const blockBytes: number = 128 * 1024;
export const superblockBytes = 96;

export const metadataBytes = 8192;
const notCompressedMetadata = 0x8000;
const notCompressedData = 1 << 24;
const none32 = 0xffff_ffff;
const none64 = 0xffff_ffff_ffff_ffffn;
const headerEntriesMax = 256;
/** nothing compressed (0x1 inodes, 0x2 data, 0x8 and 0x10 no fragments, 0x100 attributes, 0x800 ids) */
const flags = 0x091b;
const flagNoXattrs = 0x200;

export interface MetadataReference {
  /** of the metadata block, from the start of the table */
  readonly block: number;
  /** within the block, once unpacked */
  readonly offset: number;
}

export interface MetadataTable {
  readonly append: (bytes: Buffer) => MetadataReference;
  /** where the next append goes */
  readonly position: () => MetadataReference;
  readonly encode: () => Buffer;
}

export function createMetadataTable(): MetadataTable {
  const parts: Buffer[] = [];
  let bytes = 0;
  const position = (): MetadataReference => ({
    block: Math.floor(bytes / metadataBytes) * (metadataBytes + 2),
    offset: bytes % metadataBytes,
  });
  return {
    position,
    append: (part) => {
      const reference = position();
      parts.push(part);
      bytes += part.length;
      return reference;
    },
    encode: () => encodeMetadata(Buffer.concat(parts)),
  };
}

export function encodeMetadata(content: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let start = 0; start < content.length; start += metadataBytes) {
    const block = content.subarray(start, start + metadataBytes);
    const header = Buffer.alloc(2);
    header.writeUInt16LE(block.length | notCompressedMetadata);
    blocks.push(header, block);
  }
  return Buffer.concat(blocks);
}

export interface InodeHeader {
  /** permission bits */
  readonly mode: number;
  /** places in the id table */
  readonly uidIndex: number;
  readonly gidIndex: number;
  /** seconds since 1970 */
  readonly mtimeS: number;
  readonly inode: number;
  /** place in the table of extended attributes, or `noXattrs` */
  readonly xattrs: number;
}

/** as a directory names a kind; inodes with more fields have 7 added */
export const inodeType = {
  directory: 1,
  file: 2,
  symlink: 3,
  "block-device": 4,
  "character-device": 5,
  fifo: 6,
  socket: 7,
} as const;
const extended = 7;
/** in place of a number of extended attributes, for an inode that has none */
export const noXattrs = 0xffff_ffff;

function encodeHeader(type: number, header: InodeHeader, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUInt16LE(type, 0);
  buffer.writeUInt16LE(header.mode, 2);
  buffer.writeUInt16LE(header.uidIndex, 4);
  buffer.writeUInt16LE(header.gidIndex, 6);
  buffer.writeUInt32LE(header.mtimeS, 8);
  buffer.writeUInt32LE(header.inode, 12);
  return buffer;
}

/** Where a file's bytes are: one run from `start`, in data blocks without gaps. */
export interface FileExtent {
  readonly start: number;
  readonly bytes: number;
}

export function encodeFileInode(header: InodeHeader, extent: FileExtent, links: number): Buffer {
  const blocks = encodeBlockSizes(extent.bytes);
  const isSmall = extent.start < none32 && extent.bytes < none32;
  if (links === 1 && isSmall && header.xattrs === noXattrs) {
    const inode = encodeHeader(inodeType.file, header, 32);
    inode.writeUInt32LE(extent.start, 16);
    inode.writeUInt32LE(none32, 20); // no fragment
    inode.writeUInt32LE(extent.bytes, 28);
    return Buffer.concat([inode, blocks]);
  }
  const inode = encodeHeader(inodeType.file + extended, header, 56);
  inode.writeBigUInt64LE(BigInt(extent.start), 16);
  inode.writeBigUInt64LE(BigInt(extent.bytes), 24);
  inode.writeUInt32LE(links, 40);
  inode.writeUInt32LE(none32, 44); // no fragment
  inode.writeUInt32LE(header.xattrs, 52);
  return Buffer.concat([inode, blocks]);
}

function encodeBlockSizes(bytes: number): Buffer {
  const count = Math.ceil(bytes / blockBytes);
  const sizes = Buffer.alloc(count * 4);
  for (let index = 0; index < count; index += 1) {
    const size = Math.min(blockBytes, bytes - index * blockBytes);
    sizes.writeUInt32LE(size | notCompressedData, index * 4);
  }
  return sizes;
}

export function encodeSymlinkInode(header: InodeHeader, target: string, links: number): Buffer {
  const text = Buffer.from(target);
  const more = header.xattrs === noXattrs ? 0 : extended;
  const inode = encodeHeader(inodeType.symlink + more, header, 24);
  inode.writeUInt32LE(links, 16);
  inode.writeUInt32LE(text.length, 20);
  return Buffer.concat(more === 0 ? [inode, text] : [inode, text, encodeNumber(header.xattrs)]);
}

/** A device, a named pipe or a socket. `device` is what the kernel's new_encode_dev makes of its numbers. */
export function encodeSpecialInode(
  header: InodeHeader,
  kind: "block-device" | "character-device" | "fifo" | "socket",
  links: number,
  device: readonly [major: number, minor: number],
): Buffer {
  const [major, minor] = device;
  const more = header.xattrs === noXattrs ? 0 : extended;
  const parts = [encodeHeader(inodeType[kind] + more, header, 16), encodeNumber(links)];
  if (kind === "block-device" || kind === "character-device") {
    parts.push(encodeNumber((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)));
  }
  if (more !== 0) parts.push(encodeNumber(header.xattrs));
  return Buffer.concat(parts);
}

function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

interface DirectoryPlace {
  /** of the listing, in the directory table */
  readonly listing: MetadataReference;
  readonly listingBytes: number;
  /** 2 and one for each folder in it */
  readonly links: number;
  readonly parentInode: number;
}

export function encodeDirectoryInode(header: InodeHeader, place: DirectoryPlace): Buffer {
  const { listing, links, parentInode } = place;
  const size = place.listingBytes + 3; // counts "." and ".." as the kernel does
  if (size <= 0xffff && header.xattrs === noXattrs) {
    const inode = encodeHeader(inodeType.directory, header, 32);
    inode.writeUInt32LE(listing.block, 16);
    inode.writeUInt32LE(links, 20);
    inode.writeUInt16LE(size, 24);
    inode.writeUInt16LE(listing.offset, 26);
    inode.writeUInt32LE(parentInode, 28);
    return inode;
  }
  const inode = encodeHeader(inodeType.directory + extended, header, 40);
  inode.writeUInt32LE(links, 16);
  inode.writeUInt32LE(size, 20);
  inode.writeUInt32LE(listing.block, 24);
  inode.writeUInt32LE(parentInode, 28);
  inode.writeUInt16LE(0, 32); // no index of the listing
  inode.writeUInt16LE(listing.offset, 34);
  inode.writeUInt32LE(header.xattrs, 36);
  return inode;
}

export interface DirectoryItem {
  readonly name: Buffer;
  readonly type: number;
  readonly inode: number;
  readonly reference: MetadataReference;
}

/** A listing, of items sorted by name: runs of items whose inodes share a metadata block. */
export function encodeListing(items: readonly DirectoryItem[]): Buffer {
  const parts: Buffer[] = [];
  let run: DirectoryItem[] = [];
  const flush = (): void => {
    const [first] = run;
    if (first !== undefined) parts.push(encodeRun(first, run));
    run = [];
  };
  for (const item of items) {
    const [first] = run;
    const fits =
      first !== undefined &&
      run.length < headerEntriesMax &&
      first.reference.block === item.reference.block &&
      Math.abs(item.inode - first.inode) < 0x7fff;
    if (!fits) flush();
    run.push(item);
  }
  flush();
  return Buffer.concat(parts);
}

function encodeRun(first: DirectoryItem, run: readonly DirectoryItem[]): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(run.length - 1, 0);
  header.writeUInt32LE(first.reference.block, 4);
  header.writeUInt32LE(first.inode, 8);
  const items = run.flatMap((item) => {
    const entry = Buffer.alloc(8);
    entry.writeUInt16LE(item.reference.offset, 0);
    entry.writeInt16LE(item.inode - first.inode, 2);
    entry.writeUInt16LE(item.type, 4);
    entry.writeUInt16LE(item.name.length - 1, 6);
    return [entry, item.name];
  });
  return Buffer.concat([header, ...items]);
}

interface AttributeTable {
  /** the bytes that stand at `start`, and where the index in them begins; undefined without attributes */
  readonly encode: (start: number) => { bytes: Buffer; indexStart: number } | undefined;
}

interface SquashfsTables {
  readonly inodes: Buffer;
  readonly directories: Buffer;
  /** user and group numbers */
  readonly ids: readonly number[];
  readonly root: MetadataReference;
  readonly inodeCount: number;
  readonly xattrs: AttributeTable;
  /** end of the file data, where the tables begin */
  readonly start: number;
  /** time of the file system, in seconds since 1970 */
  readonly madeAtS: number;
}

/** The superblock, and all that comes after the file data, padded to 4 KiB for the block device. */
export function encodeTables(tables: SquashfsTables): { superblock: Buffer; rest: Buffer } {
  const { inodes, directories, ids, start } = tables;
  const idContent = Buffer.alloc(ids.length * 4);
  ids.forEach((id, index) => idContent.writeUInt32LE(id, index * 4));
  const idBlocks = encodeMetadata(idContent);
  const idStart = start + inodes.length + directories.length;
  const indexStart = idStart + idBlocks.length;
  const index = Buffer.alloc(Math.ceil(idContent.length / metadataBytes) * 8);
  for (let block = 0; block * 8 < index.length; block += 1) {
    index.writeBigUInt64LE(BigInt(idStart + block * (metadataBytes + 2)), block * 8);
  }
  const xattrStart = indexStart + index.length;
  const xattrs = tables.xattrs.encode(xattrStart);
  const bytesUsed = xattrStart + (xattrs?.bytes.length ?? 0);
  const superblock = Buffer.alloc(superblockBytes);
  superblock.write("hsqs", 0, "latin1");
  superblock.writeUInt32LE(tables.inodeCount, 4);
  superblock.writeUInt32LE(tables.madeAtS, 8);
  superblock.writeUInt32LE(blockBytes, 12);
  superblock.writeUInt32LE(0, 16); // fragments
  superblock.writeUInt16LE(1, 20); // zlib, which nothing here uses
  superblock.writeUInt16LE(Math.log2(blockBytes), 22);
  superblock.writeUInt16LE(xattrs === undefined ? flags | flagNoXattrs : flags, 24);
  superblock.writeUInt16LE(ids.length, 26);
  superblock.writeUInt16LE(4, 28);
  superblock.writeBigUInt64LE((BigInt(tables.root.block) << 16n) | BigInt(tables.root.offset), 32);
  const places = [
    BigInt(bytesUsed),
    BigInt(indexStart),
    xattrs === undefined ? none64 : BigInt(xattrs.indexStart),
    BigInt(start),
    BigInt(start + inodes.length),
    none64,
    none64,
  ];
  places.forEach((place, at) => superblock.writeBigUInt64LE(place, 40 + at * 8));
  const padding = Buffer.alloc((4096 - (bytesUsed % 4096)) % 4096);
  const parts = [inodes, directories, idBlocks, index, xattrs?.bytes ?? Buffer.alloc(0), padding];
  return { superblock, rest: Buffer.concat(parts) };
}
