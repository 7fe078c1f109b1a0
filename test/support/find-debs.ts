/** Debian packages that building an image has fetched: what tests make images of other kinds of. */
import { join } from "node:path";
import { createOwnLumina } from "./lumina.ts";

/**
 * Paths of the packages that an image was built of, by name; all that were put on top where none is
 * named. The image is built where it is missing.
 */
export async function findDebs(
  image: string,
  wanted: readonly string[],
  requested: readonly string[] = [],
): Promise<string[]> {
  await using own = await createOwnLumina();
  const { config, images, host } = own.lumina;
  const { manifest } =
    requested.length === 0
      ? await host.openImage(image)
      : await images.build({ name: image, packages: requested });
  const chosen = manifest.packages.filter(({ name, use }) =>
    wanted.length === 0 ? use === "layer" : wanted.includes(name),
  );
  return chosen.map(({ sha256 }) => join(config.cacheDir, "packages", `${sha256}.deb`));
}
