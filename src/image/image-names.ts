/** Names of images: one small file each, which holds the digest and is replaced as a whole. */
import { mkdir, readFile, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { renderDidYouMean } from "../base/nearest.ts";
import { LuminaGuardError } from "../errors.ts";
import { isImageDigest } from "./manifest.ts";
import type { ImageDigest } from "./manifest.ts";

export interface ImageName {
  readonly digest: ImageDigest;
  /** packages that were asked for, so that the image can be built again when it is broken */
  readonly packages: readonly string[];
}

export interface NamedImage extends ImageName {
  readonly name: string;
  /** since 1970, in `ms` */
  readonly namedAtMs: number;
}

export interface ImageNames {
  /** IMAGE_NOT_FOUND, with the nearest names, where there is none */
  readonly get: (name: string) => Promise<ImageName>;
  readonly set: (name: string, image: ImageName) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
  /** sorted by name; broken ones are left out */
  readonly list: () => Promise<NamedImage[]>;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const schema = v.strictObject({
  digest: v.custom<ImageDigest>((text) => typeof text === "string" && isImageDigest(text)),
  packages: v.array(v.string()),
});

/** USAGE where the text cannot be an image's name. */
export function checkImageName(name: string): void {
  if (namePattern.test(name) && !name.startsWith("sha256-")) return;
  throw new LuminaGuardError("USAGE", `${JSON.stringify(name)} cannot be the name of an image`, {
    hint: "names have up to 63 lower-case letters, digits and . _ -, and begin with a letter or digit",
  });
}

/** @param folder made where it is missing */
export function createImageNames(folder: string): ImageNames {
  const pathOf = (name: string): string => join(folder, `${name}.json`);
  const read = async (name: string): Promise<ImageName | undefined> => {
    const text = await readFile(pathOf(name), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return v.parse(schema, JSON.parse(text));
    } catch (error) {
      throw new LuminaGuardError("IMAGE_INVALID", `the name ${name} does not lead to an image`, {
        hint: renderBuildCommand(name, ["…"]),
        cause: error,
      });
    }
  };
  const listNames = async (): Promise<string[]> => {
    const files = await readdir(folder).catch(() => [] as string[]);
    const names = files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));
    return names.filter((name) => namePattern.test(name)).sort();
  };
  return {
    get: async (name) => {
      checkImageName(name);
      const image = await read(name);
      if (image !== undefined) return image;
      throw notFound(name, await listNames());
    },
    set: async (name, image) => {
      checkImageName(name);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFileAtomic(pathOf(name), `${JSON.stringify(image)}\n`);
    },
    remove: async (name) => rm(pathOf(name), { force: true }),
    list: async () => {
      const found: NamedImage[] = [];
      for (const name of await listNames()) {
        const image = await read(name).catch(() => undefined);
        const stats = await stat(pathOf(name)).catch(() => undefined);
        if (image !== undefined && stats !== undefined)
          found.push({ name, ...image, namedAtMs: stats.mtimeMs });
      }
      return found;
    },
  };
}

/** The command line that makes the image. */
export function renderBuildCommand(name: string, packages: readonly string[]): string {
  const list = name === "base" || packages.length === 0 ? "" : ` --packages ${packages.join(",")}`;
  return `luminaguard image build ${name}${list}`;
}

function notFound(name: string, names: readonly string[]): LuminaGuardError {
  const near = renderDidYouMean(name, names);
  return new LuminaGuardError("IMAGE_NOT_FOUND", `there is no image ${JSON.stringify(name)}`, {
    hint: near ?? `make it with: ${renderBuildCommand(name, ["…"])}`,
    details: { name, names },
  });
}
