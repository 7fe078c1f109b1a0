/**
 * QEMU as a hypervisor on Windows. Each machine boots: WHPX refuses to save one, and QEMU has no memory
 * in files there, so what hides the boot is a pool. What else differs from other platforms is in
 * windows-process.ts and loopback.ts.
 */
import { isLuminaGuardError, messageOf } from "../../../errors.ts";
import type {
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SpawnConfig,
  VmInstance,
} from "../../hypervisor.ts";
import { orDeath } from "../../boot-step.ts";
import { createMachineFolder } from "../../register/machine-folder.ts";
import { refuseRosetta, requireHonoured } from "../../require-honoured.ts";
import type { VmSpec } from "../../spec.ts";
import { buildQemuArgs } from "./qemu-args.ts";
import type { Accelerator, Architecture } from "./qemu-args.ts";
import type { QemuBinary } from "./qemu-binary.ts";
import { startOnWindows } from "./windows-process.ts";
import type { WindowsProcess } from "./windows-process.ts";

export interface WindowsQemuOptions {
  readonly accelerator: Accelerator;
  readonly architecture: Architecture;
  readonly runtimeDir: string;
  readonly find: () => Promise<QemuBinary>;
  /** ticks of the host's time-stamp counter in `kHz`; matters where x86 is emulated */
  readonly tscKhz?: number | undefined;
}

const vcpusMax = 16;

export class WindowsQemu implements Hypervisor {
  readonly name = "qemu";
  readonly accelerator: Accelerator;
  readonly features: HypervisorFeatures;
  readonly #options: WindowsQemuOptions;

  constructor(options: WindowsQemuOptions) {
    this.#options = options;
    this.accelerator = options.accelerator;
    this.features = Object.freeze({
      templates: false,
      hardwareVirtualization: options.accelerator !== "tcg",
    });
  }

  async probe(): Promise<Probe> {
    try {
      const { version } = await this.#options.find();
      return { kind: "ready", version };
    } catch (error) {
      const fix = isLuminaGuardError(error) ? (error.hint ?? "") : "";
      return { kind: "unavailable", reason: messageOf(error), fix };
    }
  }

  check(spec: VmSpec): readonly string[] {
    const tooMany = `${spec.vcpus} vcpus: this machine type has ${vcpusMax} at most`;
    return [...(spec.vcpus > vcpusMax ? [tooMany] : []), ...refuseRosetta(spec)];
  }

  async spawn(config: SpawnConfig, signal?: AbortSignal): Promise<VmInstance> {
    const startedAt = performance.now();
    const { spec, greeter, onFrozen } = config;
    requireHonoured(this, spec);
    config.onPhase?.("booting");
    signal?.throwIfAborted();
    const { accelerator, architecture, tscKhz, runtimeDir, find } = this.#options;
    const binary = await find();
    const folder = await createMachineFolder(runtimeDir, false, {
      hasNetwork: spec.nic !== "none",
    });
    const own = { spec, accelerator, architecture, tscKhz, wirePath: "", incoming: false };
    const args = (loopback: Parameters<typeof buildQemuArgs>[0]["loopback"]): readonly string[] =>
      buildQemuArgs({ ...own, loopback });
    const vmm = await startOnWindows(
      { binary: binary.path, folder, args, clock: config.clock },
      signal,
    );
    folder.watchFrozen((isFrozen, id) => {
      void obey(vmm, isFrozen).then((obeyed) => {
        if (!obeyed) return;
        folder.setHeld(isFrozen);
        onFrozen?.(isFrozen, id);
      });
    });
    try {
      await orDeath(vmm, config, signal, (scope) => greeter.greet(vmm.wire, folder.id, scope));
    } catch (error) {
      await vmm.kill();
      throw error;
    }
    return {
      id: folder.id,
      pid: vmm.pid,
      socketPath: "",
      spawnTimeMs: performance.now() - startedAt,
      kind: "cold",
      exited: vmm.exited,
      stop: vmm.quit,
      kill: vmm.kill,
    };
  }
}

/** There is no signal that stops a process on Windows: a machine's own owner tells QEMU to. */
async function obey(vmm: WindowsProcess, isFrozen: boolean): Promise<boolean> {
  return vmm.control.execute(isFrozen ? "stop" : "cont").then(
    () => true,
    () => false, // it is ending
  );
}
