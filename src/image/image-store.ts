/**
 * The images on this host. Each is a folder named by its digest; a name leads to one.
 *
 *   CACHE/images/sha256-…/    manifest.json, vmlinuz, initramfs, root.squashfs, licences/, SOURCES.txt
 *   CACHE/images/names/       NAME.json → digest
 *   CACHE/images/verified/    what each image's files looked like when they were last hashed
 *   CACHE/images/tmp/         builds under way
 *   CACHE/packages/           fetched .deb files, by SHA-256
 *   CACHE/blobs/              fetched parts of images in registries, by SHA-256
 *   CACHE/guest/              guest agents that were built
 *
 * An image is published by one rename and never changed afterwards.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { LuminaGuardError } from "../errors.ts";
import { copyBaseImage, findBasePackage } from "./base-package.ts";
import { createBuildFolder, removeLeftovers } from "./build-folder.ts";
import type * as BuildImage from "./build-image.ts";
import type { BuildProgress } from "./build-image.ts";
import { digestGuestSources } from "./guest-sources.ts";
import { createHostTools, explainDisk } from "./host-tools.ts";
import {
  checkImageName,
  createImageNames,
  renderBuildCommand,
  renderRemakeCommand,
} from "./image-names.ts";
import type { ImageNames, ImageOrigin, NamedImage } from "./image-names.ts";
import { pruneCache, listCache } from "./image-cache.ts";
import type { CacheFolders, CacheItem, PruneOptions, PruneResult } from "./image-cache.ts";
import { nameImported, namePulled } from "./oci/name-image.ts";
import { publishImage } from "./publish-image.ts";
import { readImageManifest, verifyImageFolder } from "./image-verify.ts";
import {
  digestOf,
  initramfsName,
  isImageDigest,
  kernelName,
  manifestName,
  parseManifest,
  rootLayerName,
} from "./manifest.ts";
import type { ImageArch, ImageDigest, ImageManifest } from "./manifest.ts";
import { renderReference } from "./oci/reference.ts";
import type { ImportRequest, PullRequest } from "./oci/request.ts";

interface ImageStoreOptions {
  /** LuminaGuard's cache folder; made where it is missing */
  readonly cacheDir: string;
  /** environment of the programs that build: PATH, HOME, proxies
   * @default PATH only */
  readonly env?: Readonly<Record<string, string>>;
  /** apt's package lists
   * @default "/var/lib/apt/lists" */
  readonly aptListsDir?: string;
  /** the guest agent's sources
   * @default guest/ of this package */
  readonly guestSourcesDir?: string;
  /** a base image that was made elsewhere
   * @default that of an installed package */
  readonly basePackageDir?: string;
}

export interface BuildRequest {
  readonly name: string;
  /** Debian packages on top of the base
   * @default none */
  readonly packages?: readonly string[];
  /** `amd64` or `arm64`; USAGE for another
   * @default this host's */
  readonly arch?: string;
}

export type { ImportRequest, PullRequest };

export interface BuildOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressSink;
}

type ProgressSink = (progress: BuildProgress) => void;

export interface Image {
  /** what it was opened by */
  readonly name: string;
  readonly digest: ImageDigest;
  readonly folder: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
  /** squashfs of packages; none in a base image */
  readonly rootLayerPath: string | undefined;
  readonly manifest: ImageManifest;
}

export interface ImageSummary {
  readonly name: string;
  readonly digest: ImageDigest;
  /** since 1970, in `ms` */
  readonly builtAtMs: number;
  readonly bytes: number;
  /** undefined where the image is broken or gone */
  readonly manifest: ImageManifest | undefined;
}

export interface ImageStore {
  /** builds and names an image; the name is moved only when all is there */
  readonly build: (request: BuildRequest, options?: BuildOptions) => Promise<Image>;
  /**
   * the base image of an installed package, under its name; undefined where there is none, or where
   * its guest agent is another version's
   */
  readonly takeBase: (options?: BuildOptions) => Promise<Image | undefined>;
  /** fetches an image from a registry; IMAGE_NOT_FOUND, IMAGE_PULL_FAILED, IMAGE_INVALID */
  readonly pull: (request: PullRequest, options?: BuildOptions) => Promise<Image>;
  /** takes an image from this host's files; IMAGE_INVALID, USAGE */
  readonly import: (request: ImportRequest, options?: BuildOptions) => Promise<Image>;
  /** an image whose files are as they were built; IMAGE_NOT_FOUND, IMAGE_INVALID */
  readonly open: (
    nameOrDigest: string,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<Image>;
  /** as `open`, but hashes every file */
  readonly verify: (
    nameOrDigest: string,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<Image>;
  /** whether the image has the guest agent that this version would build */
  readonly isCurrent: (image: Pick<Image, "manifest">) => Promise<boolean>;
  readonly list: () => Promise<ImageSummary[]>;
  /** forgets the name, and the image with it unless another name or `keep` holds it */
  readonly remove: (
    name: string,
    options?: { readonly keep?: ReadonlySet<ImageDigest> },
  ) => Promise<void>;
  /** everything of ours in the cache folder that takes room */
  readonly cache: () => Promise<CacheItem[]>;
  readonly prune: (options: PruneOptions) => Promise<PruneResult>;
}

interface StoreFolders extends CacheFolders {
  readonly names: string;
}

export function createImageStore(options: ImageStoreOptions): ImageStore {
  const images = join(options.cacheDir, "images");
  const folders: StoreFolders = {
    images,
    names: join(images, "names"),
    verified: join(images, "verified"),
    builds: join(images, "tmp"),
    packages: join(options.cacheDir, "packages"),
    guest: join(options.cacheDir, "guest"),
    blobs: join(options.cacheDir, "blobs"),
  };
  const names = createImageNames(folders.names);
  const open = createOpener(folders, names);
  const isCurrent: ImageStore["isCurrent"] = async ({ manifest }) =>
    manifest.guest.sourcesSha256 === (await digestGuestSources(options.guestSourcesDir));
  const keep: KeepImage = async (name, origin, make, { signal, onProgress = () => undefined }) => {
    try {
      const digest = await makeAndPublish(folders, make, onProgress);
      await open(digest, { full: true, signal });
      await names.set(name, { digest, packages: [], origin });
    } catch (error) {
      throw explainDisk(error, options.cacheDir);
    }
    return open(name, { signal });
  };
  return {
    build: async (request, { signal, onProgress = () => undefined } = {}) => {
      const packages = checkRequest(request);
      try {
        const digest = await buildAndPublish(options, folders, request, { signal, onProgress });
        await open(digest, { full: true, signal });
        await names.set(request.name, { digest, packages });
      } catch (error) {
        throw explainDisk(error, options.cacheDir);
      }
      return open(request.name, { signal });
    },
    ...createTakers(options, folders, keep),
    open: async (nameOrDigest, { signal } = {}) => open(nameOrDigest, { signal }),
    verify: async (nameOrDigest, { signal } = {}) => open(nameOrDigest, { full: true, signal }),
    isCurrent,
    takeBase: async (settings = {}) => {
      const folder = options.basePackageDir ?? findBasePackage(hostArch());
      if (folder === undefined) return undefined;
      const manifest = parseManifest(await readFile(join(folder, manifestName)));
      if (manifest.kind !== "base" || !(await isCurrent({ manifest }))) return undefined;
      const make: MakeImage = async (_work, output) => copyBaseImage(folder, output);
      return keep("base", undefined, make, settings);
    },
    list: async () =>
      Promise.all((await names.list()).map(async (named) => summarize(images, named))),
    remove: async (name, { keep = new Set<ImageDigest>() } = {}) => {
      const { digest } = await names.get(name);
      await names.remove(name);
      const held = (await names.list()).some((other) => other.digest === digest);
      if (held || keep.has(digest)) return;
      await rm(join(images, digest), { recursive: true, force: true });
      await rm(join(folders.verified, `${digest}.json`), { force: true });
    },
    cache: async () => listCache(folders, await names.list()),
    prune: async (prune) => pruneCache(folders, await names.list(), prune),
  };
}

type KeepImage = (
  name: string,
  origin: ImageOrigin | undefined,
  make: MakeImage,
  settings: BuildOptions,
) => Promise<Image>;

/** The ways in for images from outside. Their code is loaded when one is taken. */
function createTakers(
  options: ImageStoreOptions,
  folders: StoreFolders,
  keep: KeepImage,
): Pick<ImageStore, "pull" | "import"> {
  return {
    pull: async (request, settings = {}) => {
      const { pullImage } = await import("./oci/pull-image.ts");
      const { reference, name } = namePulled(request);
      const make: MakeImage = async (work, output) =>
        pullImage(request, {
          ...{
            reference,
            output,
            work,
            blobsFolder: folders.blobs,
            arch: request.base.manifest.arch,
          },
          ...{ env: options.env ?? {}, ...settings },
        });
      const origin = { kind: "pulled", from: renderReference(reference) } as const;
      return keep(name, origin, make, settings);
    },
    import: async (request, settings = {}) => {
      const { importImage } = await import("./oci/import-image.ts");
      const name = nameImported(request);
      const make: MakeImage = async (work, output) =>
        importImage(request, { output, work, arch: request.base.manifest.arch, ...settings });
      return keep(name, { kind: "imported", from: resolve(request.path) }, make, settings);
    },
  };
}

/** The packages to add; USAGE where the name does not go with them. */
function checkRequest({ name, packages = [] }: BuildRequest): readonly string[] {
  checkImageName(name);
  if (name !== "base" || packages.length === 0) return packages;
  throw new LuminaGuardError("USAGE", "the image base has no packages on top", {
    hint: `give the image another name: ${renderBuildCommand("NAME", packages)}`,
  });
}

type Opener = (
  nameOrDigest: string,
  options: { readonly full?: boolean; readonly signal?: AbortSignal | undefined },
) => Promise<Image>;

function createOpener(folders: StoreFolders, names: ImageNames): Opener {
  const find = async (text: string): Promise<Omit<NamedImage, "namedAtMs">> => {
    if (!isImageDigest(text)) return { name: text, ...(await names.get(text)) };
    const named = (await names.list()).find((each) => each.digest === text);
    return named ?? { name: "NAME", digest: text, packages: ["…"] };
  };
  return async (nameOrDigest, options) => {
    const found = await find(nameOrDigest);
    const { digest, name } = found;
    const folder = join(folders.images, digest);
    const manifest = await verifyImageFolder({
      ...options,
      folder,
      digest,
      recordPath: join(folders.verified, `${digest}.json`),
      rebuildHint: `build it again: ${renderRemakeCommand(name, found)}`,
    });
    return toImage(nameOrDigest, folder, digest, manifest);
  };
}

async function buildAndPublish(
  options: ImageStoreOptions,
  folders: StoreFolders,
  request: BuildRequest,
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal | undefined; readonly onProgress: ProgressSink },
): Promise<ImageDigest> {
  const env = options.env ?? {};
  const { buildImage } = await loadBuilder();
  const arch = request.arch === undefined ? hostArch() : parseArch(request.arch);
  const foreignLists = join(folders.packages, `lists-${arch}`);
  const make: MakeImage = async (work, output) =>
    buildImage({
      tools: createHostTools({ env, signal, cacheDir: options.cacheDir }),
      arch,
      packages: request.packages ?? [],
      workFolder: work,
      outputFolder: output,
      packagesFolder: folders.packages,
      guestFolder: folders.guest,
      listsFolder: options.aptListsDir,
      foreignListsFolder: arch === hostArch() ? undefined : foreignLists,
      guestSourcesFolder: options.guestSourcesDir,
      onProgress,
    });
  return makeAndPublish(folders, make, onProgress);
}

/** Makes an image's files in `output`, and gives its manifest's bytes. */
type MakeImage = (work: string, output: string) => Promise<Buffer>;

async function makeAndPublish(
  folders: StoreFolders,
  make: MakeImage,
  onProgress: ProgressSink,
): Promise<ImageDigest> {
  await mkdir(folders.images, { recursive: true, mode: 0o700 });
  await removeLeftovers(folders.builds);
  await using work = await createBuildFolder(folders.builds);
  const output = join(work.path, "image");
  const digest = digestOf(await make(work.path, output));
  onProgress({ phase: "publish", detail: digest });
  await publishImage({
    from: output,
    to: join(folders.images, digest),
    digest,
    workFolder: work.path,
  });
  return digest;
}

function toImage(
  name: string,
  folder: string,
  digest: ImageDigest,
  manifest: ImageManifest,
): Image {
  const hasLayer = manifest.files.some((file) => file.path === rootLayerName);
  return {
    name,
    digest,
    folder,
    kernelPath: join(folder, kernelName),
    initramfsPath: join(folder, initramfsName),
    rootLayerPath: hasLayer ? join(folder, rootLayerName) : undefined,
    manifest,
  };
}

async function summarize(images: string, named: NamedImage): Promise<ImageSummary> {
  const { name, digest, namedAtMs } = named;
  const manifest = await readImageManifest(join(images, digest), digest);
  const bytes = manifest?.files.reduce((sum, file) => sum + file.bytes, 0) ?? 0;
  return { name, digest, builtAtMs: namedAtMs, bytes, manifest };
}

function parseArch(text: string): ImageArch {
  if (text === "amd64" || text === "arm64") return text;
  throw new LuminaGuardError("USAGE", `there are no images for ${JSON.stringify(text)}`, {
    hint: "use amd64 or arm64",
  });
}

/** What images for this host are built for. */
export function hostArch(): ImageArch {
  if (process.arch === "x64") return "amd64";
  if (process.arch === "arm64") return "arm64";
  throw new LuminaGuardError(
    "IMAGE_BUILD_FAILED",
    `there are no images for ${process.arch} processors`,
  );
}

/**
 * A machine starts without what builds its image. A function of its own: where `using` is compiled away,
 * the compiler leaves the source's name in an import beside it.
 */
async function loadBuilder(): Promise<Pick<typeof BuildImage, "buildImage">> {
  return import("./build-image.ts");
}
