/** What `docker save` and `skopeo copy … docker-archive:` write: a list, configurations, plain layers. */
import * as v from "valibot";
import { LuminaGuardError } from "../../errors.ts";
import type { LayerSource } from "./apply-layers.ts";
import { check, parseConfig, parseJson } from "./descriptor.ts";
import type { OciConfig } from "./descriptor.ts";
import type { FileSet } from "./file-set.ts";
import { invalidImage, quote } from "./invalid.ts";
import type { OciLimits } from "./limits.ts";

export const archiveList = "manifest.json";

const listSchema = v.array(
  v.object({
    Config: v.string(),
    RepoTags: v.nullish(v.array(v.string())),
    Layers: v.array(v.string()),
  }),
);

/** The image of the tag, or the only one there is. */
export async function readDockerArchive(
  files: FileSet,
  tag: string | undefined,
  limits: OciLimits,
): Promise<{ readonly config: OciConfig; readonly layers: AsyncIterable<LayerSource> }> {
  const bytes = await files.readWhole(archiveList, limits.manifestBytesMax);
  const list = check(listSchema, parseJson(bytes, "list"), "list");
  const named = list.filter(({ RepoTags }) => tag === undefined || RepoTags?.includes(tag));
  const [image, ...more] = named;
  if (image === undefined || more.length > 0) {
    const tags = list.flatMap(({ RepoTags }) => RepoTags ?? []).map(quote);
    throw new LuminaGuardError("USAGE", `which image of it? ${tags.slice(0, 20).join(", ")}`, {
      hint: "say which one: --tag TAG",
    });
  }
  const config = parseConfig(await files.readWhole(image.Config, limits.configBytesMax));
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== image.Layers.length || diffIds.length > limits.layersMax)
    throw invalidImage("its configuration names another number of layers than its list");
  const layers = async function* (): AsyncGenerator<LayerSource> {
    for (const [index, path] of image.Layers.entries()) {
      yield {
        bytes: await files.sizeOf(path),
        open: () => files.open(path),
        diffId: diffIds[index],
      };
    }
  };
  return { config, layers: layers() };
}
