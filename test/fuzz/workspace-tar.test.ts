/**
 * Fuzzes what reads the guest's tar stream: mutated streams must give a tree or a refusal with one of two
 * codes, within memory and time, and leave nothing behind when they are refused.
 * FUZZ_MS sets how long, FUZZ_SEED where it starts; a failure prints its seed.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { isBelowGit, isSafeGuestPath } from "../../src/workspace/guest-path.ts";
import { ChangeStore } from "../../src/workspace/change-store.ts";
import { receiveChanges } from "../../src/workspace/receive.ts";
import { inPieces, makeTar } from "../support/guest-tar.ts";
import { makeTempDir, readTree } from "../support/make-tree.ts";

const durationMs = Number(process.env["FUZZ_MS"] ?? 3000);
const firstSeed = Number(process.env["FUZZ_SEED"] ?? 1);

/** mulberry32: small, seeded, good enough to choose bytes */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

const interesting = [
  0, 1, 0x20, 0x2e, 0x2f, 0x30, 0x37, 0x38, 0x4b, 0x4c, 0x53, 0x67, 0x78, 0x7f, 0x80, 0xff,
];

function mutate(seedTar: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(seedTar);
  for (let count = 1 + random(4); count > 0; count--) {
    const block = random(bytes.length / 512) * 512;
    const field = [0, 100, 124, 136, 148, 156, 157, 257, 345][random(9)] ?? 0;
    switch (random(6)) {
      case 0:
        bytes[random(bytes.length)] = random(256);
        break;
      case 1:
        bytes[Math.min(block + field + random(12), bytes.length - 1)] =
          interesting[random(16)] ?? 0;
        break;
      case 2:
        bytes = bytes.subarray(0, random(bytes.length));
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, block),
          bytes.subarray(random(bytes.length / 512) * 512),
        ]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, block + 512), bytes.subarray(block)]);
        break;
      default:
        bytes.write(
          random(2 ** 31)
            .toString(8)
            .padStart(11, "0"),
          Math.min(block + 124, bytes.length - 12),
          "latin1",
        );
    }
    if (bytes.length < 1024) return bytes;
    if (random(3) > 0) fixChecksum(bytes, block);
  }
  return bytes;
}

/** So that the mutation gets past the first check. */
function fixChecksum(bytes: Buffer, block: number): void {
  if (block + 512 > bytes.length) return;
  bytes.fill(" ", block + 148, block + 156);
  const sum = bytes.subarray(block, block + 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, block + 148, "latin1");
}

test("any mutated stream is a tree or a refusal", { timeout: durationMs + 60_000 }, async () => {
  using temp = makeTempDir();
  const root = join(temp.path, "root");
  mkdirSync(root);
  const seedTar = await makeTar([
    { name: "a", type: "directory" },
    { name: "a/x.txt", content: "x".repeat(700) },
    { name: `${"deep/".repeat(30)}é.txt`, content: "long" },
    { name: "link", type: "symlink", linkname: "a/x.txt" },
    { name: "run", mode: 0o755, content: "#!/bin/sh\n" },
    { name: "big", content: "y".repeat(5000) },
  ]);
  const store = new ChangeStore(temp.path);
  const baseline = { root, entries: new Map() };
  const limits = { bytesMax: 1024 ** 2, changedBytesMax: 1024 ** 2, entriesMax: 100 };
  const outcomes = { sets: 0, refusals: 0 };
  const end = performance.now() + durationMs;
  for (let seed = firstSeed; performance.now() < end; seed++) {
    const random = createRandom(seed);
    const tar = mutate(seedTar, random);
    try {
      const pieces = inPieces(tar, [1 + random(3000)]);
      const { set } = await receiveChanges(pieces, { baseline, store, command: "", limits });
      for (const { path } of set?.changes ?? []) {
        expect(isSafeGuestPath(path) && !isBelowGit(path), `seed ${seed}: ${path}`).toBe(true);
      }
      if (set !== undefined) await store.remove(set.id);
      outcomes.sets += 1;
    } catch (error) {
      const isExpected =
        isLuminaGuardError(error, "CHANGES_HOSTILE") || isLuminaGuardError(error, "WIRE_LIMIT");
      if (!isExpected) throw new Error(`seed ${seed}`, { cause: error });
      outcomes.refusals += 1;
    }
  }
  expect(readTree(temp.path)).toEqual({ changes: null, root: null });
  // both ways are walked, else it fuzzes nothing
  expect(outcomes.sets).toBeGreaterThan(10);
  expect(outcomes.refusals).toBeGreaterThan(10);
});
