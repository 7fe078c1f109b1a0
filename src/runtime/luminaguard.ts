/**
 * The composition root: joins config, images, hypervisor, wire and workspace. Start reading here.
 * Everything expensive (probing, building, booting) waits until it is needed, and then happens once.
 */
import { join } from "node:path";
import { loadConfig } from "../config/config.ts";
import type { Config, LoadedConfig } from "../config/config.ts";
import { isLuminaGuardError } from "../errors.ts";
import { createImageStore } from "../image/image-store.ts";
import type { Image, ImageStore } from "../image/image-store.ts";
import type { BuildProgress } from "../image/build-image.ts";
import { probeConfinement } from "../vm/confinement-probe.ts";
import type { SpawnPhase } from "../vm/hypervisor.ts";
import { reapMachines } from "../vm/machine-folder.ts";
import { ManagedVm } from "../vm/managed-vm.ts";
import { Pool } from "../vm/pool.ts";
import { selectHypervisor } from "../vm/select.ts";
import type { Selection } from "../vm/select.ts";
import { resolveVmSpec } from "../vm/spec.ts";
import type { VmImage } from "../vm/spec.ts";
import { VerdictCache } from "../vm/verdict-cache.ts";
import { createGreeter } from "./greeter.ts";
import { Machine } from "./machine.ts";

export interface LuminaGuardOptions {
  /** settings that win over environment and file */
  readonly config?: Partial<Config>;
}

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

const baseImage = "base";

export class LuminaGuard implements AsyncDisposable {
  readonly config: Config;
  readonly images: ImageStore;
  readonly #machines = new Set<Machine>();
  readonly #verdicts: VerdictCache;
  #selection: Promise<Selection> | undefined;

  constructor({ config, toolEnvironment }: Pick<LoadedConfig, "config" | "toolEnvironment">) {
    this.config = config;
    this.images = createImageStore({ cacheDir: config.cacheDir, env: toolEnvironment });
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
    const image = await this.#openImage(options.image ?? this.config.image, options);
    const { hypervisor } = await this.hypervisor(image, signal);
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
  hypervisor(image: VmImage, signal?: AbortSignal, fresh = false): Promise<Selection> {
    if (fresh) this.#selection = undefined;
    this.#selection ??= this.#select(image, fresh, signal).catch((error: unknown) => {
      this.#selection = undefined; // the next spawn asks again
      throw error;
    });
    return this.#selection;
  }

  /** The selection the last spawn used. */
  selection(): Promise<Selection> {
    if (this.#selection !== undefined) return this.#selection;
    throw new Error("a machine was spawned before");
  }

  /** Ends every machine. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#machines].map((machine) => machine.stop()));
  }

  async #select(image: VmImage, fresh: boolean, signal?: AbortSignal): Promise<Selection> {
    const { cacheDir, runtimeDir, searchPath } = this.config;
    const asRoot = process.getuid?.() === 0;
    return selectHypervisor({
      cacheDir,
      runtimeDir,
      searchPath,
      architecture: process.arch === "arm64" ? "arm64" : "x64",
      platform: process.platform,
      tools: await probeConfinement(asRoot, this.#verdicts),
      cache: this.#verdicts,
      image,
      greeter: createGreeter(),
      fresh,
      signal,
    });
  }

  async #openImage(name: string, { onPhase, signal }: SpawnOptions): Promise<VmImage> {
    try {
      return toVmImage(await this.images.open(name));
    } catch (error) {
      if (name !== baseImage || !isLuminaGuardError(error, "IMAGE_NOT_FOUND")) throw error;
    }
    await this.images.build(
      { name: baseImage },
      { ...(signal && { signal }), ...(onPhase && { onProgress: onPhase }) },
    );
    return toVmImage(await this.images.open(baseImage));
  }
}

function toVmImage({ digest, kernelPath, initramfsPath, rootLayerPath }: Image): VmImage {
  return { digest, kernelPath, initramfsPath, layerPath: rootLayerPath };
}

/** LuminaGuard on this host, after clearing what an earlier process left. Raises CONFIG_INVALID. */
export async function createLuminaGuard(options: LuminaGuardOptions = {}): Promise<LuminaGuard> {
  const loaded = loadConfig();
  const config = Object.freeze({ ...loaded.config, ...options.config });
  const lumina = new LuminaGuard({ ...loaded, config });
  await lumina.reap();
  return lumina;
}
