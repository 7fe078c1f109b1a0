/**
 * Builds one image into a folder: packages, guest agent, initramfs, layer, licences, and last the
 * manifest, which names all the others by digest. What goes in is decided by the request, the
 * package lists and the guest's sources, and by nothing else of the host.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackArm64Kernel } from "./arm64-kernel.ts";
import { findApplets } from "./busybox-applets.ts";
import { createApt } from "./apt.ts";
import type { Apt } from "./apt.ts";
import type { AptPackage } from "./apt-records.ts";
import { fetchDebianGo } from "./debian-go.ts";
import { describeFiles } from "./describe-files.ts";
import { buildGuestBinary } from "./guest-binary.ts";
import type { GuestBinary } from "./guest-binary.ts";
import type { HostTools } from "./host-tools.ts";
import { encodeInitramfs } from "./initramfs.ts";
import { readBusybox, readLicences } from "./base-packages.ts";
import { listModules } from "./kernel-modules.ts";
import { readKernelPackage } from "./kernel-package.ts";
import { createLicenceCollector, writeLicences } from "./licences.ts";
import type { LicenceCollector } from "./licences.ts";
import {
  encodeManifest,
  initramfsName,
  kernelName,
  manifestName,
  rootLayerName,
} from "./manifest.ts";
import type { ImageArch, ImageManifest, ManifestPackage } from "./manifest.ts";
import { buildRootLayer } from "./root-layer.ts";
import { renderSources } from "./source-references.ts";

export interface BuildProgress {
  readonly phase: "packages" | "guest" | "initramfs" | "layer" | "publish" | "pull";
  readonly detail: string;
}

interface BuildImageOptions {
  readonly tools: HostTools;
  readonly arch: ImageArch;
  /** Debian packages on top of the base, none for a base image */
  readonly packages: readonly string[];
  /** for what is not part of the image */
  readonly workFolder: string;
  /** where the image's files come, made here */
  readonly outputFolder: string;
  /** verified packages, kept between builds */
  readonly packagesFolder: string;
  /** guest agents, kept between builds */
  readonly guestFolder: string;
  readonly listsFolder?: string | undefined;
  /** package lists of `arch` that are ours to fetch, where it is not the host's */
  readonly foreignListsFolder?: string | undefined;
  readonly guestSourcesFolder?: string | undefined;
  readonly onProgress: (progress: BuildProgress) => void;
}

/**
 * Comes with every layer: busybox's shell runs its own applets whatever PATH says, so with it the
 * packages' programs of the same names would not be found.
 */
const shell = "dash";

/** The parts of a machine that are not asked for by name. */
interface Parts {
  readonly kernel: AptPackage;
  readonly busybox: AptPackage;
  /** only their licence texts are in the image */
  readonly licenceDonors: readonly AptPackage[];
  readonly layer: readonly AptPackage[];
}

export async function buildImage(options: BuildImageOptions): Promise<Buffer> {
  const { tools, arch, outputFolder, onProgress } = options;
  await mkdir(outputFolder, { mode: 0o700 });
  const { foreignListsFolder, listsFolder = foreignListsFolder } = options;
  const ownLists = foreignListsFolder !== undefined && listsFolder === foreignListsFolder;
  const aptFolder = join(options.workFolder, "apt");
  const apt = await createApt({ ...options, listsFolder, ownLists, workFolder: aptFolder });
  onProgress({ phase: "packages", detail: "asking apt what is needed" });
  const parts = await resolveParts(apt, arch, options.packages);
  const all = [parts.kernel, parts.busybox, ...parts.licenceDonors, ...parts.layer];
  onProgress({ phase: "packages", detail: `${all.length} packages, ${mebibytes(all)} MiB` });
  const fetched = await apt.fetch(all);
  const pathOf = (each: AptPackage): string => fetched.get(each.sha256) ?? "";

  onProgress({ phase: "guest", detail: "building the guest agent" });
  const guest = await buildGuestBinary({
    tools,
    arch,
    workFolder: join(options.workFolder, "guest"),
    cacheFolder: options.guestFolder,
    sourcesFolder: options.guestSourcesFolder,
    fetchGo: async () => fetchDebianGo({ ...options, workFolder: join(options.workFolder, "go") }),
  });

  const licences = createLicenceCollector();
  for (const donor of parts.licenceDonors) await readLicences(tools, pathOf(donor), licences);
  onProgress({ phase: "initramfs", detail: `kernel ${parts.kernel.name}` });
  const kernelRelease = await buildBoot(options, licences, guest, {
    kernel: pathOf(parts.kernel),
    busybox: pathOf(parts.busybox),
  });
  if (parts.layer.length > 0) {
    onProgress({ phase: "layer", detail: `unpacking ${parts.layer.length} packages` });
    await buildRootLayer({
      tools,
      debPaths: parts.layer.map(pathOf),
      licences,
      outputPath: join(outputFolder, rootLayerName),
    });
  }
  return describe(options, { parts, licences, guest, kernelRelease });
}

async function resolveParts(
  apt: Apt,
  arch: ImageArch,
  packages: readonly string[],
): Promise<Parts> {
  const [meta, busybox, ...licenceDonors] = await apt.lookUp([
    `linux-image-cloud-${arch}`,
    "busybox-static",
    "base-files", // the common licences
    "libc6", // linked into busybox
  ]);
  const kernelName = /linux-image-[^\s,|]+/.exec(meta?.depends ?? "")?.[0] ?? "";
  const [kernel] = await apt.lookUp([kernelName]);
  if (kernel === undefined || busybox === undefined) throw new Error("apt answers for each name");
  const layer = packages.length === 0 ? [] : await apt.resolve([...new Set([...packages, shell])]);
  return { kernel, busybox, licenceDonors, layer };
}

/** Writes the kernel and the initramfs; gives the kernel's release. */
async function buildBoot(
  { tools, arch, outputFolder }: BuildImageOptions,
  licences: LicenceCollector,
  guest: GuestBinary,
  debPaths: { readonly kernel: string; readonly busybox: string },
): Promise<string> {
  const kernel = await readKernelPackage(tools, debPaths.kernel, licences);
  const busybox = await readBusybox(tools, debPaths.busybox, licences);
  const moduleLists = await listModules(kernel.modules, kernel.builtin, arch);
  const initramfs = encodeInitramfs({
    guest: guest.content,
    moduleLists,
    busybox,
    applets: findApplets(busybox),
  });
  const loadable = arch === "arm64" ? unpackArm64Kernel(tools, kernel.kernel) : kernel.kernel;
  await writeFile(join(outputFolder, kernelName), await loadable);
  await writeFile(join(outputFolder, initramfsName), initramfs);
  return kernel.release;
}

interface Results {
  readonly parts: Parts;
  readonly licences: LicenceCollector;
  readonly guest: GuestBinary;
  readonly kernelRelease: string;
}

/** Writes licences, sources and the manifest; gives the manifest's bytes. */
async function describe(options: BuildImageOptions, results: Results): Promise<Buffer> {
  const { outputFolder } = options;
  const { parts, licences, guest } = results;
  const packages = describePackages(parts);
  const texts = licences.files(packages.map((each) => each.name));
  for (const [name, text] of guest.licences) texts.set(`guest/${name}`, text);
  await writeLicences(join(outputFolder, "licences"), texts);
  await writeFile(join(outputFolder, "SOURCES.txt"), renderSources(packages, guest.sourcesSha256));
  const manifest: ImageManifest = {
    schema: 1,
    kind: parts.layer.length > 0 ? "packages" : "base",
    arch: options.arch,
    kernelRelease: results.kernelRelease,
    guest: { sha256: guest.sha256, sourcesSha256: guest.sourcesSha256, go: guest.go },
    requested: [...new Set(options.packages)].sort(),
    packages,
    files: await describeFiles(outputFolder),
  };
  const bytes = encodeManifest(manifest);
  await writeFile(join(outputFolder, manifestName), bytes, { mode: 0o644 });
  return bytes;
}

function describePackages(parts: Parts): ManifestPackage[] {
  const listed = new Map<string, ManifestPackage>();
  const add = (each: AptPackage, use: ManifestPackage["use"]): void => {
    const { name, version, arch, sha256, source, builtUsing } = each;
    listed.set(name, { name, version, arch, sha256, source, builtUsing, use });
  };
  for (const each of parts.licenceDonors) add(each, "licences");
  add(parts.kernel, "kernel");
  add(parts.busybox, "base");
  for (const each of parts.layer) add(each, "layer");
  return [...listed.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function mebibytes(packages: readonly AptPackage[]): number {
  return Math.ceil(packages.reduce((sum, each) => sum + each.bytes, 0) / 1024 ** 2);
}
