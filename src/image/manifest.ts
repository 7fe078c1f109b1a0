/**
 * The record of what an image is made of. It says nothing about names, times or the host, so the
 * same inputs give the same bytes; the image's digest is the SHA-256 of those bytes.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { LuminaGuardError } from "../errors.ts";

export type ImageArch = "amd64" | "arm64";
export type ImageDigest = `sha256-${string}`;

export const manifestName = "manifest.json";
export const kernelName = "vmlinuz";
export const initramfsName = "initramfs";
export const rootLayerName = "root.squashfs";

/** largest manifest that is read, in `bytes`; one of 500 packages is about 300 KiB */
export const manifestBytesMax: number = 4 * 1024 * 1024;

const hexSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const countSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** below the image's folder; no path leaves it */
const pathSchema = v.pipe(
  v.string(),
  v.check((path) => path.split("/").every((part) => part !== "" && part !== "." && part !== "..")),
);

/** A Debian source package. */
export interface SourceReference {
  readonly name: string;
  readonly version: string;
}

export interface ManifestPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly sha256: string;
  /** source package it was built from */
  readonly source: SourceReference;
  /** further source packages with parts in it, such as a linked C library */
  readonly builtUsing: readonly SourceReference[];
  /** what of it is in the image: kernel and modules, busybox, all files, or only licence texts */
  readonly use: "kernel" | "base" | "layer" | "licences";
}

export interface ManifestFile {
  /** below the image's folder */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** How the program of an image from a registry or an archive is to be run. */
export interface ContainerConfig {
  /** words before the command's */
  readonly entrypoint: readonly string[];
  /** the command where none is given */
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `uid:gid`, as numbers */
  readonly user: string;
  /** absolute */
  readonly workdir: string;
}

export interface ImageManifest {
  readonly schema: 1;
  readonly kind: "base" | "packages" | "oci";
  readonly arch: ImageArch;
  readonly kernelRelease: string;
  readonly guest: {
    /** of the program itself */
    readonly sha256: string;
    /** of the program's sources and of nothing else */
    readonly sourcesSha256: string;
    /** compiler, as `go version` calls it */
    readonly go: string;
  };
  /** packages that were asked for, sorted */
  readonly requested: readonly string[];
  readonly packages: readonly ManifestPackage[];
  /** every file of the image but the manifest, sorted by path */
  readonly files: readonly ManifestFile[];
  /** of kind "oci" alone */
  readonly container?: ContainerConfig | undefined;
}

const sourceSchema = v.strictObject({ name: v.string(), version: v.string() });
const packageSchema = v.strictObject({
  name: v.string(),
  version: v.string(),
  arch: v.string(),
  sha256: hexSchema,
  source: sourceSchema,
  builtUsing: v.array(sourceSchema),
  use: v.picklist(["kernel", "base", "layer", "licences"]),
});
const manifestSchema: v.GenericSchema<unknown, ImageManifest> = v.strictObject({
  schema: v.literal(1),
  kind: v.picklist(["base", "packages", "oci"]),
  arch: v.picklist(["amd64", "arm64"]),
  kernelRelease: v.string(),
  guest: v.strictObject({ sha256: hexSchema, sourcesSha256: hexSchema, go: v.string() }),
  requested: v.array(v.string()),
  packages: v.array(packageSchema),
  files: v.array(v.strictObject({ path: pathSchema, bytes: countSchema, sha256: hexSchema })),
  container: v.optional(
    v.strictObject({
      entrypoint: v.array(v.string()),
      cmd: v.array(v.string()),
      env: v.record(v.string(), v.string()),
      user: v.pipe(v.string(), v.regex(/^\d+:\d+$/)),
      workdir: v.pipe(v.string(), v.startsWith("/")),
    }),
  ),
});

/** Keys sorted at every depth, two spaces, one newline at the end. */
export function encodeManifest(manifest: ImageManifest): Buffer {
  return Buffer.from(`${JSON.stringify(sortKeys(manifest), undefined, 2)}\n`);
}

export function digestOf(manifestBytes: Uint8Array): ImageDigest {
  return `sha256-${createHash("sha256").update(manifestBytes).digest("hex")}`;
}

export function isImageDigest(text: string): text is ImageDigest {
  return /^sha256-[0-9a-f]{64}$/.test(text);
}

/** The manifest in the bytes; IMAGE_INVALID where they are not one this version writes. */
export function parseManifest(bytes: Uint8Array): ImageManifest {
  let data: unknown;
  try {
    data = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new LuminaGuardError("IMAGE_INVALID", "the image's manifest is not JSON", {
      cause: error,
    });
  }
  const result = v.safeParse(manifestSchema, data);
  if (result.success) return result.output;
  const path = v.getDotPath(result.issues[0]) ?? "its top";
  throw new LuminaGuardError("IMAGE_INVALID", `the image's manifest is not understood at ${path}`, {
    hint: "it may be of another version of LuminaGuard: build the image again",
  });
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
