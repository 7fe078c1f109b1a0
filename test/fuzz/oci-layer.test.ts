/** Fuzzes what reads layers: whatever the bytes, a tree or a refusal, within time, and nothing on the host. */
import { randomBytes } from "node:crypto";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { applyLayers } from "../../src/image/oci/apply-layers.ts";
import type { LayerSource } from "../../src/image/oci/apply-layers.ts";
import { decompress } from "../../src/image/oci/decompress.ts";
import { createLayerTree } from "../../src/image/oci/layer-tree.ts";
import { defaultOciLimits } from "../../src/image/oci/limits.ts";
import { makeTar } from "../support/make-tar.ts";

const numRuns = Number(process.env["FUZZ_RUNS"] ?? 400);
const names = ["a", "b", "a/b", "../x", "/abs", ".wh.a", "a/.wh..wh..opq", ".wh.", "a/../b", "."];
const item = fc.record({
  path: fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 99 })),
  type: fc.constantFrom("0", "1", "2", "3", "5", "6", "L", "K", "x", "g", "S", "Z"),
  content: fc.string({ maxLength: 600 }),
  target: fc.constantFrom(...names),
});

async function* inPieces(bytes: Buffer, piece: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece)
    yield await Promise.resolve(bytes.subarray(at, at + piece));
}

async function apply(bytes: Buffer, piece: number): Promise<void> {
  const append = async (
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ start: number; bytes: number }> => {
    let length = 0;
    for await (const part of content) length += part.length;
    return { start: 96, bytes: length };
  };
  const layer: LayerSource = {
    bytes: bytes.length,
    open: () => inPieces(bytes, piece),
    diffId: undefined,
  };
  const layers = async function* (): AsyncGenerator<LayerSource> {
    yield await Promise.resolve(layer);
    yield layer;
  };
  const limits = { ...defaultOciLimits, unpackedBytesMax: 50_000_000 };
  try {
    await applyLayers(layers(), { tree: createLayerTree(0), contents: { append } }, { limits });
  } catch (error) {
    if (!isLuminaGuardError(error, "IMAGE_INVALID")) throw error;
  }
}

describe("a layer", () => {
  test("of any entries is applied or refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { maxLength: 8 }),
        fc.integer({ min: 1, max: 2000 }),
        async (items, piece) => apply(makeTar(items), piece),
      ),
      { numRuns },
    );
  });

  test("with any bytes changed is applied or refused", async () => {
    const seed = makeTar([
      { path: "d/", type: "5", pax: { "SCHILY.xattr.user.x": "1", mtime: "1.5" } },
      { path: "d/f", content: "content" },
      { path: "l", type: "1", target: "d/f" },
      { path: ".wh.d" },
    ]);
    const change = fc.tuple(fc.nat(seed.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (changes, fix) => {
          const bytes = Buffer.from(seed);
          for (const [at, value] of changes) bytes[at] = value;
          if (fix)
            for (let at = 0; at < bytes.length; at += 512) repair(bytes.subarray(at, at + 512));
          await apply(bytes, 700);
        },
      ),
      { numRuns },
    );
  });
});

/** Puts the right sum into a header, so that what was changed is read. */
function repair(block: Buffer): void {
  if (block.toString("latin1", 257, 262) !== "ustar") return;
  block.fill(0x20, 148, 156);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(sum.toString(8).padStart(7, "0"), 148, "latin1");
}

const zstd = spawnSync("zstd", ["--version"]).error === undefined;
describe("packed bytes", () => {
  const plain = Buffer.concat([Buffer.alloc(300_000, "repeated "), randomBytes(300_000)]);
  const unpack = async (bytes: Buffer): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of decompress(inPieces(bytes, 10_000))) parts.push(part);
    return Buffer.concat(parts);
  };
  const kinds: [string, () => Buffer][] = [["gzip", () => gzipSync(plain)]];
  if (zstd) {
    const pack = (args: readonly string[]): Buffer =>
      spawnSync("zstd", ["-c", ...args], { input: plain, maxBuffer: 1e8 }).stdout;
    kinds.push(
      ["zstd", () => pack(["-q"])],
      ["zstd without sums", () => pack(["-q", "--no-check", "-19"])],
    );
    kinds.push([
      "zstd of several frames",
      () =>
        Buffer.concat([pack(["-q"]), Buffer.from("502a4d1803000000616263", "hex"), pack(["-q"])]),
    ]);
  }

  test.each(kinds)("of %s come out as they went in", async (name, pack) => {
    const expected = name.includes("several") ? Buffer.concat([plain, plain]) : plain;
    expect((await unpack(pack())).equals(expected)).toBe(true);
  });

  test.each(kinds)("of %s with any byte changed end in bytes or a refusal", async (_name, pack) => {
    const seed = pack();
    await fc.assert(
      fc.asyncProperty(fc.nat(seed.length - 1), fc.nat(255), async (at, value) => {
        const bytes = Buffer.from(seed);
        bytes[at] = value;
        await unpack(bytes).catch((error: unknown) => {
          if (!isLuminaGuardError(error, "IMAGE_INVALID")) throw error;
        });
      }),
      { numRuns: Math.min(numRuns, 40) },
    );
  });

  test("with a window over 8 MiB are refused before it is made", async () => {
    // magic, no single segment, window descriptor 0xa0: 1 GiB
    const frame = Buffer.from("28b52ffd00a0010000", "hex");
    await expect(unpack(frame)).rejects.toThrow("over 8 MiB");
  });
});
