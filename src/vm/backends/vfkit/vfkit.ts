/**
 * Apple's Virtualization.framework as a hypervisor, through vfkit. Every machine boots: vfkit can save
 * none, so a pool of machines that wait is what makes the next one quick.
 */
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../../../errors.ts";
import type {
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SpawnConfig,
  VmInstance,
} from "../../hypervisor.ts";
import { orDeath } from "../../boot-step.ts";
import { createMachineFolder } from "../../register/machine-folder.ts";
import { refuseNic, requireHonoured } from "../../require-honoured.ts";
import type { VmSpec } from "../../spec.ts";
import { buildVfkitArgs, isSayableSocket, refuseSpec } from "./vfkit-args.ts";
import type { VfkitHost, VfkitPaths } from "./vfkit-args.ts";
import { findVfkit } from "./vfkit-binary.ts";
import type { VfkitBinary } from "./vfkit-binary.ts";
import { startVfkit } from "./vfkit-process.ts";
import type { VfkitProcess } from "./vfkit-process.ts";

export interface VfkitHypervisorOptions {
  /** folder of machines' sockets, private to this user */
  readonly runtimeDir: string;
  /** vfkit is looked up here */
  readonly searchPath: string;
  readonly host: VfkitHost;
}

export class VfkitHypervisor implements Hypervisor {
  readonly name = "vfkit";
  readonly accelerator = "vz";
  readonly features: HypervisorFeatures = Object.freeze({
    templates: false,
    hardwareVirtualization: true,
  });
  readonly #options: VfkitHypervisorOptions;
  #binary: Promise<VfkitBinary> | undefined;

  constructor(options: VfkitHypervisorOptions) {
    this.#options = options;
  }

  async probe(): Promise<Probe> {
    try {
      const { version } = await this.#findBinary();
      return { kind: "ready", version };
    } catch (error) {
      const fix = isLuminaGuardError(error) ? (error.hint ?? "") : "";
      return { kind: "unavailable", reason: messageOf(error), fix };
    }
  }

  check(spec: VmSpec): readonly string[] {
    return [...refuseSpec(spec, this.#options.host), ...refuseNic(spec)];
  }

  async spawn(config: SpawnConfig, signal?: AbortSignal): Promise<VmInstance> {
    const startedAt = performance.now();
    const { spec, greeter } = config;
    requireHonoured(this, spec);
    config.onPhase?.("booting");
    const { id, paths, vmm } = await this.#launch(config, signal);
    try {
      await orDeath(vmm, config, signal, async (scope) => {
        await greeter.reach(paths.wire, scope);
        await greeter.greet(paths.wire, id, scope);
      });
    } catch (error) {
      const console = vmm.consoleTail();
      await vmm.kill();
      throw isLuminaGuardError(error, "VM_BOOT_FAILED") ? vmm.explainEnd(console) : error;
    }
    return {
      id,
      pid: vmm.pid,
      socketPath: paths.wire,
      spawnTimeMs: performance.now() - startedAt,
      kind: "cold",
      exited: vmm.exited,
      stop: vmm.stop,
      kill: vmm.kill,
    };
  }

  async #launch(
    { spec, onFrozen }: SpawnConfig,
    signal?: AbortSignal,
  ): Promise<{ readonly id: string; readonly paths: VfkitPaths; readonly vmm: VfkitProcess }> {
    signal?.throwIfAborted();
    const { runtimeDir } = this.#options;
    if (!isSayableSocket(runtimeDir)) {
      throw new LuminaGuardError("HOST_LIMIT", `vfkit takes no socket below ${runtimeDir}`, {
        hint: "set LUMINAGUARD_RUNTIME_DIR to a path of letters, digits and / . _ - ~ + @",
      });
    }
    const { path: binary } = await this.#findBinary();
    // the folder's own check of a socket's length is for its longest name, which these do not exceed
    const folder = await createMachineFolder(runtimeDir, false);
    if (onFrozen !== undefined) folder.watchFrozen(onFrozen);
    const inFolder = (name: string): string => `${folder.path}/${name}`;
    const paths = {
      wire: inFolder("wire.sock"),
      rest: inFolder("rest.sock"),
      console: inFolder("console"),
    };
    const vmm = await startVfkit(binary, buildVfkitArgs(spec, paths), paths, folder);
    return { id: folder.id, paths, vmm };
  }

  #findBinary(): Promise<VfkitBinary> {
    this.#binary ??= findVfkit(this.#options.searchPath).catch((error: unknown) => {
      this.#binary = undefined; // a person may put it right while we run
      throw error;
    });
    return this.#binary;
  }
}
