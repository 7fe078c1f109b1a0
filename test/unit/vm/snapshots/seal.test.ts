/** A sealed file is what was sealed, or it is an error. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveFileKey, sealFile, unsealFile } from "../../../../src/vm/snapshots/seal.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const key = deriveFileKey(randomBytes(32), "ab".repeat(32), "ram");

async function sealed(
  content: Buffer,
  with_: (paths: Record<"plain" | "sealed" | "opened", string>) => Promise<void>,
): Promise<void> {
  using temp = makeTempDir();
  const [plain, sealedPath] = [join(temp.path, "plain"), join(temp.path, "sealed")];
  writeFileSync(plain, content);
  await sealFile(plain, sealedPath, key);
  await with_({ plain, sealed: sealedPath, opened: join(temp.path, "opened") });
}

describe("a sealed file", () => {
  it.each([0, 1, 1024 * 1024 - 1, 1024 * 1024, 3 * 1024 * 1024 + 7])(
    "of %i bytes is opened as it was",
    async (length) => {
      const content = randomBytes(length);
      await sealed(content, async (paths) => {
        await unsealFile(paths.sealed, paths.opened, key);
        expect(readFileSync(paths.opened).equals(content)).toBe(true);
      });
    },
  );

  it("holds neither its zeroes nor any of its text", async () => {
    const content = Buffer.alloc(8 * 1024 * 1024);
    content.write("a secret in memory", 5_000_000);
    await sealed(content, async (paths) => {
      const bytes = readFileSync(paths.sealed);
      expect(bytes.length).toBeLessThan(1.1 * 1024 * 1024);
      expect(bytes.includes("a secret")).toBe(false);
      await unsealFile(paths.sealed, paths.opened, key);
      expect(readFileSync(paths.opened).equals(content)).toBe(true);
    });
  });

  it("with any byte changed, or cut anywhere, is refused", async () => {
    await sealed(randomBytes(3_000), async (paths) => {
      const bytes = readFileSync(paths.sealed);
      await fc.assert(
        fc.asyncProperty(
          fc.nat(bytes.length - 1),
          fc.integer({ min: 1, max: 255 }),
          fc.boolean(),
          async (at, flip, isCut) => {
            const damaged = isCut ? bytes.subarray(0, at) : Buffer.from(bytes);
            if (!isCut) damaged.writeUInt8(damaged.readUInt8(at) ^ flip, at);
            writeFileSync(paths.sealed, damaged);
            const opened = `${paths.opened}-${String(Math.random())}`;
            await expect(unsealFile(paths.sealed, opened, key)).rejects.toMatchObject({
              code: "SNAPSHOT_INVALID",
            });
          },
        ),
        { numRuns: 200 },
      );
    });
  });

  it("is refused with the key of another file", async () => {
    await sealed(randomBytes(100), async (paths) => {
      const other = deriveFileKey(randomBytes(32), "ab".repeat(32), "ram");
      await expect(unsealFile(paths.sealed, paths.opened, other)).rejects.toMatchObject({
        code: "SNAPSHOT_INVALID",
      });
      expect(existsSync(paths.sealed)).toBe(true);
    });
  });
});
