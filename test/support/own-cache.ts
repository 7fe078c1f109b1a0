/** A cache folder of a test's own with the shared base image in it and no template. */
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "../../src/config/config.ts";

export async function fillCache(folder: string): Promise<void> {
  const { cacheDir } = loadConfig().config;
  const name = join("images", "names", "base.json");
  const { digest } = JSON.parse(await readFile(join(cacheDir, name), "utf8")) as { digest: string };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const path of [name, join("images", digest), "host.json"]) {
    await cp(join(cacheDir, path), join(folder, path), { recursive: true });
  }
}
