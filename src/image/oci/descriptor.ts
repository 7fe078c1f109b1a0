/**
 * What an image is made of, as JSON: OCI image specification 1.1 (image-index.md, manifest.md,
 * config.md) and Docker's image manifest version 2, schema 2, which says the same in other words.
 */
import * as v from "valibot";
import { invalidImage, quote } from "./invalid.ts";

/** `sha256:` and 64 hex digits; other algorithms are not taken. */
export type Digest = `sha256:${string}`;

export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && /^sha256:[0-9a-f]{64}$/.test(text);
}

const digestSchema = v.custom<Digest>(isDigest);
const countSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const textsSchema = v.nullish(v.array(v.string()));

export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string | undefined;
}

/** What a blob is, and how to know it. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** in `bytes` */
  readonly size: number;
  readonly platform?: Platform | null | undefined;
  readonly annotations?: Readonly<Record<string, string>> | null | undefined;
}

export interface OciIndex {
  readonly manifests: readonly Descriptor[];
}

export interface OciManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface OciConfig {
  readonly architecture?: string | undefined;
  readonly os?: string | undefined;
  readonly config?: ProgramConfig | null | undefined;
  readonly rootfs: { readonly diff_ids: readonly Digest[] };
}

/** As the configuration has it: null, absent and empty mean the same. */
export interface ProgramConfig {
  readonly User?: string | null | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | null | undefined;
}

const platformSchema: v.GenericSchema<unknown, Platform> = v.object({
  architecture: v.string(),
  os: v.string(),
  variant: v.optional(v.string()),
});
const descriptorSchema: v.GenericSchema<unknown, Descriptor> = v.object({
  mediaType: v.optional(v.string(), ""),
  digest: digestSchema,
  size: countSchema,
  platform: v.nullish(platformSchema),
  annotations: v.nullish(v.record(v.string(), v.string())),
});
const indexSchema: v.GenericSchema<unknown, OciIndex> = v.object({
  manifests: v.pipe(v.array(descriptorSchema), v.maxLength(4096)),
});
const manifestSchema: v.GenericSchema<unknown, OciManifest> = v.object({
  config: descriptorSchema,
  layers: v.array(descriptorSchema),
});
const programSchema: v.GenericSchema<unknown, ProgramConfig> = v.object({
  User: v.nullish(v.string()),
  Env: textsSchema,
  Entrypoint: textsSchema,
  Cmd: textsSchema,
  WorkingDir: v.nullish(v.string()),
});
const configSchema: v.GenericSchema<unknown, OciConfig> = v.object({
  architecture: v.optional(v.string()),
  os: v.optional(v.string()),
  config: v.nullish(programSchema),
  rootfs: v.object({ diff_ids: v.array(digestSchema) }),
});

const indexTypes = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);
const manifestTypes = new Set([
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
]);

/** what a registry is told that it may send */
export const acceptedTypes: string = [...indexTypes, ...manifestTypes].join(", ");

export type IndexOrManifest =
  | { readonly kind: "index"; readonly index: OciIndex }
  | { readonly kind: "manifest"; readonly manifest: OciManifest };

/**
 * @param mediaType what whoever sent the bytes calls them, if they do not say it themselves
 */
export function parseIndexOrManifest(bytes: Uint8Array, mediaType = ""): IndexOrManifest {
  const data = parseJson(bytes, "manifest");
  const kind = kindOf(data, mediaType.split(";")[0]?.trim() ?? "");
  return kind === "index"
    ? { kind, index: check(indexSchema, data, "index") }
    : { kind, manifest: check(manifestSchema, data, "manifest") };
}

/** By what the document calls itself, else its sender; old layouts say nothing, and the fields tell. */
function kindOf(data: unknown, sent: string): "index" | "manifest" {
  const own = (data as { mediaType?: unknown } | null)?.mediaType;
  const type = typeof own === "string" ? own : sent;
  if (indexTypes.has(type)) return "index";
  if (manifestTypes.has(type)) return "manifest";
  const fields = typeof data === "object" && data !== null ? Object.keys(data) : [];
  if (fields.includes("manifests")) return "index";
  if (fields.includes("layers") && fields.includes("config")) return "manifest";
  throw invalidImage(`a manifest of the kind ${quote(type)} is not understood`);
}

export function parseConfig(bytes: Uint8Array): OciConfig {
  return check(configSchema, parseJson(bytes, "configuration"), "configuration");
}

export function parseIndex(bytes: Uint8Array): OciIndex {
  return check(indexSchema, parseJson(bytes, "index"), "index");
}

/** JSON of whoever made the image. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw invalidImage(`its ${what} is not JSON`, { cause: error });
  }
}

export function check<Schema extends v.GenericSchema>(
  schema: Schema,
  data: unknown,
  what: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const path = v.getDotPath(result.issues[0]) ?? "its top";
  throw invalidImage(`its ${what} is not understood at ${quote(path)}`);
}
