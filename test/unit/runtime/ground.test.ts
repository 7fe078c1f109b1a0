import { join } from "node:path";
import { expect, it } from "vitest";
import { loadConfig } from "../../../src/config/config.ts";
import { createImageStore } from "../../../src/image/image-store.ts";
import { HostGround } from "../../../src/runtime/ground.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { makeImage, sampleFiles } from "../image/make-image.ts";

it("a machine does not boot from an image for another processor, and the refusal says which", async () => {
  using temp = makeTempDir();
  const [own, foreign] =
    process.arch === "arm64" ? (["arm64", "amd64"] as const) : (["amd64", "arm64"] as const);
  const cacheDir = join(temp.path, "cache");
  for (const [name, arch] of [
    ["mine", own],
    ["theirs", foreign],
  ] as const) {
    await makeImage(cacheDir, name, sampleFiles, { arch });
  }
  const { config } = loadConfig({ HOME: temp.path, LUMINAGUARD_CACHE_DIR: cacheDir });
  const ground = new HostGround(config, createImageStore({ cacheDir }));
  expect((await ground.openImage("mine")).name).toBe("mine");
  await expect(ground.openImage("theirs")).rejects.toMatchObject({
    code: "IMAGE_INVALID",
    message: `the image theirs is for ${foreign} and this host is ${own}`,
  });
});
