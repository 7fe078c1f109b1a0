/** The base image for arm64, from the cache that every test shares; built where it is missing or out of date. */
import { isLuminaGuardError } from "../../src/errors.ts";
import type { Image } from "../../src/image/image-store.ts";
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";

const name = "base-arm64";

export async function openArm64Image(): Promise<Image> {
  await using lumina = await createLuminaGuard();
  try {
    const image = await lumina.images.open(name);
    if (await lumina.images.isCurrent(image)) return image;
  } catch (error) {
    if (!isLuminaGuardError(error, "IMAGE_NOT_FOUND")) throw error;
  }
  return await lumina.images.build({ name, arch: "arm64" });
}
