/**
 * What machines stand on: an image to boot from and a hypervisor to boot it with. `HostGround` is
 * this host, probed once and only when needed; `DryGround` runs nothing and needs nothing.
 */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { readVersion } from "../config/version.ts";
import { LuminaGuardError, isLuminaGuardError } from "../errors.ts";
import type { BuildProgress } from "../image/build-image.ts";
import { hostArch } from "../image/image-store.ts";
import type {
  BuildOptions,
  Image,
  ImageStore,
  ImportRequest,
  PullRequest,
} from "../image/image-store.ts";
import { kernelName } from "../image/manifest.ts";
import type { ContainerConfig } from "../image/manifest.ts";
import { namesRegistry } from "../image/oci/reference.ts";
import { FakeHypervisor } from "../vm/backends/fake/fake.ts";
import { probeConfinement } from "../vm/walls/confinement-probe.ts";
import type { ConfinementReport } from "../vm/walls/confinement-probe.ts";
import type { Hypervisor } from "../vm/hypervisor.ts";
import type { CanaryResult } from "../vm/choice/canary.ts";
import { selectHypervisor } from "../vm/choice/select.ts";
import type { Selection } from "../vm/choice/select.ts";
import type { VmImage } from "../vm/spec.ts";
import { VerdictCache } from "../vm/choice/verdict-cache.ts";
import { startFakeGuest } from "../wire/fake-guest.ts";
import { listPlatforms } from "./platforms.ts";
import type { Lane } from "./platforms.ts";
import { createGreeter } from "./greeter.ts";

export interface PrepareOptions {
  readonly onPhase?: ((phase: BuildProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** `auto`, a backend, or a backend and its accelerator, such as "qemu/tcg"
   * @default the configured one */
  readonly hypervisor?: string | undefined;
}

export interface Prepared {
  readonly image: VmImage;
  /** how the image wants its program run; undefined for images of ours */
  readonly container: ContainerConfig | undefined;
  readonly hypervisor: Hypervisor;
  /** every way to run machines on this platform, best first, tried or not */
  readonly canaries: readonly CanaryResult[];
}

export interface Ground {
  /** Raises IMAGE_NOT_FOUND, IMAGE_BUILD_FAILED, HYPERVISOR_UNAVAILABLE or TOOL_MISSING. */
  readonly prepare: (imageName: string, options: PrepareOptions) => Promise<Prepared>;
}

const baseImage = "base";

export class HostGround implements Ground {
  readonly #config: Config;
  readonly #images: ImageStore;
  readonly #verdicts: VerdictCache;
  /** by the name that was asked for */
  readonly #selections = new Map<string, Promise<Selection>>();

  constructor(config: Config, images: ImageStore) {
    this.#config = config;
    this.#images = images;
    this.#verdicts = new VerdictCache(join(config.cacheDir, "host.json"));
  }

  async prepare(imageName: string, options: PrepareOptions): Promise<Prepared> {
    const image = await this.openImage(imageName, options);
    const { hypervisor, canaries } = await this.select(image, options);
    const { container } = image.manifest;
    return { image: toVmImage(image), container, hypervisor, canaries };
  }

  /** Fetches an image from a registry, and the base image first where there is none. */
  async pullImage(
    request: Omit<PullRequest, "base">,
    options: PrepareOptions = {},
  ): Promise<Image> {
    const base = await this.openImage(baseImage, options);
    return this.#images.pull({ ...request, base }, toBuildOptions(options));
  }

  /** Takes an image from files of this host, and makes the base image first where there is none. */
  async importImage(
    request: Omit<ImportRequest, "base">,
    options: PrepareOptions = {},
  ): Promise<Image> {
    const base = await this.openImage(baseImage, options);
    return this.#images.import({ ...request, base }, toBuildOptions(options));
  }

  /**
   * An image by name, or by a reference with its registry's host. The base image is taken from its
   * package or built when it is missing, one of a registry is fetched.
   */
  async openImage(name: string, { onPhase, signal }: PrepareOptions = {}): Promise<Image> {
    const stopping = signal === undefined ? {} : { signal };
    try {
      const image = await this.#images.open(name, stopping);
      if (name !== baseImage) return requireOwnArch(name, image);
      if (image.manifest.arch === hostArch() && (await this.#isCurrent(image))) return image;
    } catch (error) {
      if (!isLuminaGuardError(error, "IMAGE_NOT_FOUND")) throw error;
      if (namesRegistry(name)) return this.pullImage({ reference: name }, { onPhase, signal });
      if (name !== baseImage) throw error;
    }
    const building = toBuildOptions({ onPhase, signal });
    const taken = await this.#images.takeBase(building);
    return taken ?? this.#images.build({ name: baseImage }, building);
  }

  /** How the image of that name wants its program run; undefined for images of ours. */
  async describeContainer(
    name: string,
    options: PrepareOptions = {},
  ): Promise<ContainerConfig | undefined> {
    if (name === baseImage) return undefined;
    return (await this.openImage(name, options)).manifest.container;
  }

  /** A base image with another version's guest agent is made anew; looked at once a version. */
  async #isCurrent(image: Image): Promise<boolean> {
    const key = `base image of ${readVersion()}`;
    if ((await this.#verdicts.get(key)) === image.digest) return true;
    const current = await this.#images.isCurrent(image);
    if (current) await this.#verdicts.set(key, image.digest);
    return current;
  }

  /** What runs machines here, found by booting one; asked once. `fresh` asks again. */
  select(
    image: Image,
    { signal, hypervisor: wanted = this.#config.hypervisor }: PrepareOptions = {},
    fresh = false,
  ): Promise<Selection> {
    const known = fresh ? undefined : this.#selections.get(wanted);
    if (known !== undefined) return known;
    const selecting = this.#runCanaries(image, wanted, fresh, signal);
    this.#selections.set(wanted, selecting);
    return selecting.catch((error: unknown) => {
      this.#selections.delete(wanted); // the next spawn asks again
      throw error;
    });
  }

  /** Every way to run machines on every platform. Nothing is started. */
  lanes(): readonly Lane[] {
    return listPlatforms(this.#config, this.#verdicts);
  }

  /** Which walls can be built around a hypervisor here. */
  confinement(): Promise<ConfinementReport> {
    return probeConfinement(process.getuid?.() === 0, this.#verdicts);
  }

  async #runCanaries(
    image: Image,
    wanted: string,
    fresh: boolean,
    signal?: AbortSignal,
  ): Promise<Selection> {
    const { cacheDir, runtimeDir, searchPath } = this.#config;
    const kernel = image.manifest.files.find(({ path }) => path === kernelName);
    return selectHypervisor({
      cacheDir,
      runtimeDir,
      searchPath,
      architecture: process.arch === "arm64" ? "arm64" : "x64",
      platform: process.platform,
      tools: await this.confinement(),
      cache: this.#verdicts,
      image: toVmImage(image),
      kernelSha256: kernel?.sha256 ?? image.digest,
      greeter: createGreeter(),
      wanted,
      fresh,
      signal,
    });
  }
}

function toBuildOptions({ onPhase, signal }: PrepareOptions): BuildOptions {
  return {
    ...(onPhase === undefined ? {} : { onProgress: onPhase }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** A kernel for another processor does not even fail: nothing of it runs. */
function requireOwnArch(name: string, image: Image): Image {
  const { arch } = image.manifest;
  if (arch === hostArch()) return image;
  throw new LuminaGuardError(
    "IMAGE_INVALID",
    `the image ${name} is for ${arch} and this host is ${hostArch()}`,
    { hint: "build one for this host: luminaguard image build without --arch" },
  );
}

export class DryGround implements Ground {
  readonly #hypervisor: Hypervisor;

  constructor(runtimeDir: string) {
    this.#hypervisor = new FakeHypervisor({ runtimeDir, startGuest: startFakeGuest });
  }

  prepare(): Promise<Prepared> {
    const image = { digest: "0".repeat(64), kernelPath: "", initramfsPath: "" };
    const hypervisor = this.#hypervisor;
    return Promise.resolve({ image, container: undefined, hypervisor, canaries: [] });
  }
}

/** What a machine needs to know of an image. */
export function toVmImage({ digest, kernelPath, initramfsPath, rootLayerPath }: Image): VmImage {
  return { digest, kernelPath, initramfsPath, layerPath: rootLayerPath };
}
