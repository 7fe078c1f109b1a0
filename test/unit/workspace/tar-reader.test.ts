import { describe, expect, test } from "vitest";
import { readTar, type TarItem } from "../../../src/workspace/tar-reader.ts";
import { encodeTarHeader, tarEnd } from "../../../src/workspace/tar-writer.ts";
import { inPieces, makeTar } from "../../support/guest-tar.ts";

const facts = { mode: 0o644, mtimeMs: 0, uid: 0, gid: 0 };

function header(
  change: (block: Buffer) => void = () => undefined,
  kind: "file" | "folder" = "file",
): Buffer {
  const block = encodeTarHeader({ kind, path: "a", size: 0, ...facts });
  change(block);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** An extended header that holds the text, before an ordinary one. */
function extended(text: string, size = Buffer.byteLength(text)): Buffer {
  const lead = header((block) => {
    block.write("x", 156, "latin1");
    block.write(size.toString(8).padStart(11, "0"), 124, "latin1");
  });
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text, "utf8");
  return Buffer.concat([lead, body]);
}

async function read(...parts: readonly Buffer[]): Promise<Omit<TarItem, "content">[]> {
  const items: Omit<TarItem, "content">[] = [];
  for await (const { kind, name, target, mode, size } of readTar(
    inPieces(Buffer.concat(parts), [100]),
  )) {
    items.push({ kind, name, target, mode, size });
  }
  return items;
}

describe("a tar stream", () => {
  test("is read as other writers write it, long names and sizes included", async () => {
    const long = `${"folder/".repeat(40)}é.txt`;
    const tar = await makeTar([
      { name: "plain", mode: 0o4755, content: "x" },
      { name: long, content: "long" },
      { name: `${"p".repeat(90)}/${"n".repeat(90)}`, content: "prefixed" },
      { name: "l", type: "symlink", linkname: long },
    ]);
    expect(
      (await read(tar)).map(({ name, target, mode, size }) => [name, target, mode, size]),
    ).toEqual([
      ["plain", "", 0o4755, 1],
      [long, "", 0o644, 4],
      [`${"p".repeat(90)}/${"n".repeat(90)}`, "", 0o644, 8],
      ["l", long, 0o644, 0],
    ]);
  });

  test.each<[string, Buffer[]]>([
    [
      "a wrong checksum",
      [encodeTarHeader({ kind: "file", path: "a", size: 0, ...facts }).fill("b", 0, 1)],
    ],
    ["no magic", [header((block) => block.fill(0, 257, 265))]],
    ["a number with other letters", [header((block) => block.write("0000009", 100, "latin1"))]],
    ["a negative size", [header((block) => block.fill(0xff, 124, 136))]],
    ["a size out of range", [header((block) => block.fill(0x80, 124, 125).fill(0xff, 125, 136))]],
    [
      "content after a folder",
      [header((block) => block.write("00000000001", 124, "latin1"), "folder")],
    ],
    ["a global header", [header((block) => block.write("g", 156, "latin1"))]],
    ["a long name of the old kind", [header((block) => block.write("L", 156, "latin1"))]],
    ["two extended headers", [extended("9 path=b\n"), extended("9 path=b\n"), header()]],
    ["an extended header at the end", [extended("9 path=b\n")]],
    ["an extended header without length", [extended("path=b\n"), header()]],
    ["an extended header that is cut", [extended("99 path=b\n"), header()]],
    ["an extended header without line end", [extended("8 path=b"), header()]],
    ["an extended header without key", [extended("5 =b\n"), header()]],
    ["an extended header without value", [extended("7 path\n"), header()]],
    ["an extended header of length zero", [extended("0 path=b\n"), header()]],
    ["an extended size that is no number", [extended("11 size=-1\n"), header()]],
    ["an extended size out of range", [extended("25 size=9999999999999999\n"), header()]],
  ])("with %s is hostile", async (_, parts) => {
    await expect(read(...parts, tarEnd())).rejects.toMatchObject({ code: "CHANGES_HOSTILE" });
  });

  test("of a sparse file, of xattrs and of times is read for what it is", async () => {
    const [sparse] = await read(extended("22 GNU.sparse.major=1\n"), header(), tarEnd());
    expect(sparse?.kind).toBe("sparse file");
    const [plain] = await read(extended("19 mtime=1.5\u00e9 = =\n"), header(), tarEnd());
    expect(plain).toMatchObject({ kind: "file", name: "a" });
  });

  test("ends with two empty blocks and nothing but zeroes after", async () => {
    const hostile = { code: "CHANGES_HOSTILE" };
    expect(await read(header(), tarEnd(), Buffer.alloc(9216))).toHaveLength(1);
    await expect(read(header(), tarEnd(), header())).rejects.toMatchObject(hostile);
    await expect(read(header(), tarEnd(), Buffer.alloc(2 * 1024 ** 2))).rejects.toMatchObject(
      hostile,
    );
    await expect(read(header(), Buffer.alloc(512))).rejects.toMatchObject(hostile);
    await expect(read(header(), Buffer.alloc(512), header())).rejects.toMatchObject(hostile);
  });

  test("is let go of when its reader stops early", async () => {
    let isClosed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield await Promise.resolve(header());
      } finally {
        isClosed = true;
      }
    }
    for await (const item of readTar(endless())) if (item.kind === "file") break;
    expect(isClosed).toBe(true);
  });
});
