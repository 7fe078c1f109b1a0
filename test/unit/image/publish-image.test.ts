import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { publishImage } from "../../../src/image/publish-image.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { makeImage } from "./make-image.ts";

test("an image takes the place of a broken one, and leaves a whole one where it is", async () => {
  using temp = makeTempDir();
  const { digest, folder: to } = await makeImage(temp.path);
  const workFolder = join(temp.path, "work");
  mkdirSync(workFolder);
  const from = join(workFolder, "image");
  renameSync(to, from);

  await publishImage({ from, to, digest, workFolder });
  expect(existsSync(from)).toBe(false);

  writeFileSync(join(to, "vmlinuz"), "Kernel");
  renameSync((await makeImage(join(temp.path, "again"))).folder, from);
  await publishImage({ from, to, digest, workFolder });
  expect(readFileSync(join(to, "vmlinuz"), "utf8")).toBe("kernel");

  renameSync((await makeImage(join(temp.path, "once-more"))).folder, from);
  await publishImage({ from, to, digest, workFolder });
  expect(existsSync(from)).toBe(true);
});
