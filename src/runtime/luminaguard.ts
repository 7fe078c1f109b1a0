/**
 * The composition root: joins config, images, hypervisor, wire and workspace. Start reading here.
 * Everything expensive (probing, building, booting) waits until it is needed, and then happens once.
 */
import { basename, join } from "node:path";
import type { Config, LoadedConfig } from "../config/config.ts";
import { isLuminaGuardError } from "../errors.ts";
import { createImageStore } from "../image/image-store.ts";
import type { Image, ImageStore } from "../image/image-store.ts";
import type { BuildProgress } from "../image/build-image.ts";
import { probeConfinement } from "../vm/confinement-probe.ts";
import type { ConfinementReport } from "../vm/confinement-probe.ts";
import type { SpawnPhase } from "../vm/hypervisor.ts";
import { reapMachines } from "../vm/machine-folder.ts";
import { ManagedVm } from "../vm/managed-vm.ts";
import { Pool } from "../vm/pool.ts";
import { selectHypervisor } from "../vm/select.ts";
import type { Selection } from "../vm/select.ts";
import { resolveVmSpec } from "../vm/spec.ts";
import type { VmImage } from "../vm/spec.ts";
import { VerdictCache } from "../vm/verdict-cache.ts";
import { packagesProviding, renderProvidingCommand } from "../image/provides.ts";
import { resolveWorkspaceRoot } from "../workspace/workspace-root.ts";
import { ChangeDesk } from "./change-desk.ts";
import { TemplateStore } from "../vm/template-store.ts";
import type { CacheItem } from "../image/image-cache.ts";
import { createGreeter } from "./greeter.ts";
import { Machine } from "./machine.ts";

export interface SpawnOptions {
  /** @default the configured image, "base" */
  readonly image?: string | undefined;
  /** @default the configured memory, 512 MiB */
  readonly memoryMib?: number | undefined;
  /** @default the configured number, 1 */
  readonly vcpus?: number | undefined;
  /** variables of every command in the machine */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly bootTimeoutMs?: number | undefined;
  /** called as the spawn goes on, for a person who waits */
  readonly onPhase?: ((phase: SpawnPhase | BuildProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Something in the cache folder that takes room. */
export interface CachedItem extends Omit<CacheItem, "kind"> {
  readonly kind: CacheItem["kind"] | "template";
}

const baseImage = "base";

export class LuminaGuard implements AsyncDisposable {
  readonly config: Config;
  readonly images: ImageStore;
  readonly changes: ChangeDesk;
  readonly #toolEnvironment: Readonly<Record<string, string>>;
  readonly #machines = new Set<Machine>();
  readonly #verdicts: VerdictCache;
  readonly #templates: TemplateStore;
  #selection: Promise<Selection> | undefined;

  constructor({ config, toolEnvironment }: Pick<LoadedConfig, "config" | "toolEnvironment">) {
    this.config = config;
    this.#toolEnvironment = toolEnvironment;
    this.changes = new ChangeDesk(config.stateDir);
    this.images = createImageStore({ cacheDir: config.cacheDir, env: toolEnvironment });
    this.#templates = new TemplateStore(join(config.cacheDir, "templates"));
    this.#verdicts = new VerdictCache(join(config.cacheDir, "host.json"));
  }

  /** Ends and removes what a killed process of this user left behind. */
  async reap(): Promise<readonly string[]> {
    return reapMachines(this.config.runtimeDir);
  }

  /**
   * A fresh machine. The base image is built when it is missing. Raises IMAGE_NOT_FOUND,
   * HYPERVISOR_UNAVAILABLE, VM_BOOT_FAILED, HOST_LIMIT, or the signal's reason.
   */
  async spawn(options: SpawnOptions = {}): Promise<Machine> {
    const { signal, onPhase, env = {} } = options;
    const opened = await this.openImage(options.image ?? this.config.image, options);
    const image = toVmImage(opened);
    const { hypervisor } = await this.hypervisor(opened, signal);
    const spec = resolveVmSpec({
      image,
      memoryMib: options.memoryMib ?? this.config.memoryMib,
      vcpus: options.vcpus ?? this.config.cpus,
      ...(options.bootTimeoutMs === undefined ? {} : { bootTimeoutMs: options.bootTimeoutMs }),
    });
    const greeter = createGreeter();
    const vm = new ManagedVm(hypervisor, { spec, greeter, onPhase });
    const instance = await vm.boot(signal);
    const machine = new Machine(vm, instance, greeter.wire(), env);
    this.#machines.add(machine);
    void instance.exited.then(() => this.#machines.delete(machine));
    return machine;
  }

  /** Machines made ahead. The pool is the caller's to close; `dispose` ends what it holds. */
  pool(size: number, options: Omit<SpawnOptions, "signal"> = {}): Pool<Machine> {
    return new Pool<Machine>({
      size,
      prepare: async (signal) => {
        const machine = await this.spawn({ ...options, signal });
        await machine.exec(["true"], { cwd: "/", signal });
        return machine;
      },
    });
  }

  /** What runs machines here, found by booting one; asked once. */
  hypervisor(image: Image, signal?: AbortSignal, fresh = false): Promise<Selection> {
    if (fresh) this.#selection = undefined;
    this.#selection ??= this.#select(toVmImage(image), fresh, signal).catch((error: unknown) => {
      this.#selection = undefined; // the next spawn asks again
      throw error;
    });
    return this.#selection;
  }

  /** An image by name. The base image is built when it is missing. */
  async openImage(
    name: string,
    { onPhase, signal }: Pick<SpawnOptions, "onPhase" | "signal"> = {},
  ): Promise<Image> {
    const stopping = signal === undefined ? {} : { signal };
    try {
      return await this.images.open(name, stopping);
    } catch (error) {
      if (name !== baseImage || !isLuminaGuardError(error, "IMAGE_NOT_FOUND")) throw error;
    }
    const request = { name: baseImage };
    return this.images.build(request, { ...stopping, ...(onPhase && { onProgress: onPhase }) });
  }

  /** Which walls can be built around a hypervisor here. */
  confinement(): Promise<ConfinementReport> {
    return probeConfinement(process.getuid?.() === 0, this.#verdicts);
  }

  /** The selection the last spawn used. */
  selection(): Promise<Selection> {
    if (this.#selection !== undefined) return this.#selection;
    throw new Error("a machine was spawned before");
  }

  /** The folder as a workspace. Raises WORKSPACE_REFUSED for the home folder, "/", and our own folders. */
  resolveWorkspace(folder: string, signal?: AbortSignal): Promise<string> {
    const { homeDir, cacheDir, stateDir, runtimeDir } = this.config;
    const apart = [cacheDir, stateDir, runtimeDir];
    return resolveWorkspaceRoot(folder, { home: homeDir, apart, signal });
  }

  /** How to get an image that has the command; `undefined` when nobody knows. */
  async hintForCommand(command: string, imageName?: string): Promise<string | undefined> {
    const packages = await packagesProviding(command, { env: this.#toolEnvironment });
    if (packages.length === 0) return undefined;
    const image = await this.images.open(imageName ?? this.config.image);
    return `an image that has it: ${renderProvidingCommand(image, packages)}`;
  }

  /** Everything in the cache folder that takes room. */
  async listCache(): Promise<readonly CachedItem[]> {
    const templates = (await this.#templates.list()).map(
      ({ path, bytes, madeAtMs }): CachedItem => {
        return { kind: "template", path, bytes, usedAtMs: madeAtMs, names: [] };
      },
    );
    return [...(await this.images.cache()), ...templates];
  }

  /** Brings the cache down to a size. Templates go first: each is made again in seconds. */
  async pruneCache(
    bytesMax: number,
  ): Promise<{ readonly removed: readonly CachedItem[]; readonly bytes: number }> {
    const items = await this.listCache();
    const removed: CachedItem[] = [];
    let bytes = items.reduce((sum, item) => sum + item.bytes, 0);
    for (const item of items.filter(({ kind }) => kind === "template")) {
      if (bytes <= bytesMax) return { removed, bytes };
      await this.#templates.drop(basename(item.path));
      removed.push(item);
      bytes -= item.bytes;
    }
    const images = await this.images.prune({ bytesMax });
    return { removed: [...removed, ...images.removed], bytes: images.bytes };
  }

  /** Ends every machine. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#machines].map((machine) => machine.stop()));
  }

  async #select(image: VmImage, fresh: boolean, signal?: AbortSignal): Promise<Selection> {
    const { cacheDir, runtimeDir, searchPath } = this.config;
    return selectHypervisor({
      cacheDir,
      runtimeDir,
      searchPath,
      architecture: process.arch === "arm64" ? "arm64" : "x64",
      platform: process.platform,
      tools: await this.confinement(),
      cache: this.#verdicts,
      image,
      greeter: createGreeter(),
      fresh,
      signal,
    });
  }
}

/** What a machine needs to know of an image. */
export function toVmImage({ digest, kernelPath, initramfsPath, rootLayerPath }: Image): VmImage {
  return { digest, kernelPath, initramfsPath, layerPath: rootLayerPath };
}
