/** Names of images: one small file each, which holds the digest and is replaced as a whole. */
import { mkdir, readFile, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { renderDidYouMean } from "../base/nearest.ts";
import { LuminaGuardError } from "../errors.ts";
import { sha256 } from "./file-digest.ts";
import { isImageDigest } from "./manifest.ts";
import type { ImageDigest } from "./manifest.ts";
import { namesRegistry, parseReference, renderReference } from "./oci/reference.ts";

export interface ImageName {
  readonly digest: ImageDigest;
  /** packages that were asked for, so that the image can be built again when it is broken */
  readonly packages: readonly string[];
  /** where it is from, when it is not of packages: a reference, or a path of this host */
  readonly origin?: ImageOrigin | undefined;
}

export interface ImageOrigin {
  readonly kind: "pulled" | "imported";
  readonly from: string;
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
  /** of a reference, whose file cannot be called by it */
  name: v.optional(v.string()),
  origin: v.optional(
    v.strictObject({ kind: v.picklist(["pulled", "imported"]), from: v.string() }),
  ),
});

/** USAGE where the text cannot be an image's name. */
export function checkImageName(name: string): void {
  if (namePattern.test(name) && !name.startsWith("sha256-")) return;
  throw new LuminaGuardError("USAGE", `${JSON.stringify(name)} cannot be the name of an image`, {
    hint: "names have up to 63 lower-case letters, digits and . _ -, and begin with a letter or digit",
  });
}

/** A name of this host, or a whole reference under which an image was pulled. USAGE for any other. */
function checkName(name: string): void {
  if (namesRegistry(name)) parseReference(name);
  else checkImageName(name);
}

/** References have signs that no file name has, and are told from names by the length of this. */
function fileOf(name: string): string {
  return namesRegistry(name) ? sha256(renderReference(parseReference(name))) : name;
}

/** @param folder made where it is missing */
export function createImageNames(folder: string): ImageNames {
  const pathOf = (name: string): string => join(folder, `${fileOf(name)}.json`);
  const read = async (name: string): Promise<ImageName | undefined> => {
    const text = await readFile(pathOf(name), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      const { name: _name, ...image } = v.parse(schema, JSON.parse(text));
      return image;
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
    const locals = names.filter((name) => namePattern.test(name));
    const references: string[] = [];
    for (const file of names.filter((name) => /^[0-9a-f]{64}$/.test(name))) {
      const reference = await readReference(join(folder, `${file}.json`));
      if (reference !== undefined && fileOf(reference) === file) references.push(reference);
    }
    return [...locals, ...references].sort();
  };
  return {
    get: async (name) => {
      checkName(name);
      const image = await read(name);
      if (image !== undefined) return image;
      throw notFound(name, await listNames());
    },
    set: async (name, image) => {
      checkName(name);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const whole = namesRegistry(name) ? { name: renderReference(parseReference(name)) } : {};
      await writeFileAtomic(pathOf(name), `${JSON.stringify({ ...whole, ...image })}\n`);
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

/** The command line that makes the image again, wherever it was from. */
export function renderRemakeCommand(name: string, image: Omit<ImageName, "digest">): string {
  const { origin, packages } = image;
  if (origin === undefined) return renderBuildCommand(name, packages);
  const word = origin.kind === "pulled" ? "pull" : "import";
  const named = origin.from === name ? "" : ` --name ${name}`;
  return `luminaguard image ${word} ${origin.from}${named}`;
}

async function readReference(path: string): Promise<string | undefined> {
  try {
    const { name } = v.parse(schema, JSON.parse(await readFile(path, "utf8")));
    return name !== undefined && namesRegistry(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

function notFound(name: string, names: readonly string[]): LuminaGuardError {
  const near = renderDidYouMean(name, names);
  if (namesRegistry(name)) {
    return new LuminaGuardError("IMAGE_NOT_FOUND", `there is no image ${JSON.stringify(name)}`, {
      hint: near ?? `fetch it with: luminaguard image pull ${name}`,
      details: { name, names },
    });
  }
  return new LuminaGuardError("IMAGE_NOT_FOUND", `there is no image ${JSON.stringify(name)}`, {
    hint: near ?? `make it with: ${renderBuildCommand(name, ["…"])}`,
    details: { name, names },
  });
}
