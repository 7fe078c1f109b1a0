/**
 * Firecracker as a hypervisor. With templates, the first machine of a spec is booted once and frozen into
 * a snapshot, and every machine is then a copy-on-write clone of it; without, each machine boots.
 */
import { createHash } from "node:crypto";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../../../errors.ts";
import { orDeath } from "../../boot-step.ts";
import type { ConfinementTools } from "../../confinement.ts";
import type {
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SpawnConfig,
  SpawnKind,
  VmInstance,
} from "../../hypervisor.ts";
import type { KernelStore } from "../../kernel/kernel-store.ts";
import type { ReleaseProgram, Versions } from "../../jailer.ts";
import { kvmDevice, requireKvm } from "../../kvm-device.ts";
import { createMachineFolder } from "../../machine-folder.ts";
import type { MachineFolder } from "../../machine-folder.ts";
import { refuseNic, requireHonoured } from "../../require-honoured.ts";
import type { VmSpec } from "../../spec.ts";
import { TemplateSource } from "../../template-source.ts";
import type { Template, TemplateDraft, TemplateStore } from "../../template-store.ts";
import { listBoot, listFreeze, listThaw, names } from "./calls.ts";
import type { PlacedFile } from "./calls.ts";
import { findFirecracker } from "./firecracker-binary.ts";
import { startFirecracker } from "./firecracker-process.ts";
import type { FirecrackerProcess, FirecrackerStart } from "./firecracker-process.ts";
import { capabilitiesOf } from "./versions.ts";

export interface FirecrackerOptions {
  readonly architecture: "x64" | "arm64";
  /** folder of machines' sockets, private to this user */
  readonly runtimeDir: string;
  /** unpacked kernels */
  readonly kernels: KernelStore;
  /** frozen machines; without a store every machine boots */
  readonly templates?: TemplateStore | undefined;
  readonly tools: ConfinementTools;
  /** programs are looked up here */
  readonly searchPath: string;
  readonly versions?: Versions | undefined;
  /** path of Firecracker's jailer, where its walls are to be the machines' */
  readonly jailer?: string | undefined;
  /** @default "/dev/kvm" */
  readonly kvmPath?: string | undefined;
}

/** device state of a machine; about 20 KiB and what its devices hold */
const stateBytesMax = 64 * 1024 ** 2;
/** longest that writing a machine's memory out may take, in `ms` */
const freezeTimeoutMs = 120_000;

export class FirecrackerHypervisor implements Hypervisor {
  readonly name = "firecracker";
  readonly accelerator = "kvm";
  readonly features: HypervisorFeatures;
  readonly #options: FirecrackerOptions;
  readonly #templates: TemplateSource | undefined;
  #binary: Promise<ReleaseProgram> | undefined;

  constructor(options: FirecrackerOptions) {
    this.#options = options;
    this.#templates = options.templates && new TemplateSource(options.templates);
    this.features = Object.freeze({
      templates: options.templates !== undefined,
      hardwareVirtualization: true,
    });
  }

  async probe(): Promise<Probe> {
    try {
      const { version } = await this.#findBinary();
      await requireKvm(this.#options.kvmPath);
      return { kind: "ready", version };
    } catch (error) {
      const fix = isLuminaGuardError(error) ? (error.hint ?? "") : "";
      return { kind: "unavailable", reason: messageOf(error), fix };
    }
  }

  /** Every spec within the bounds of `resolveVmSpec` is one it can run: 32 processors are its limit too. */
  check(spec: VmSpec): readonly string[] {
    return refuseNic(spec);
  }

  async spawn(config: SpawnConfig, signal?: AbortSignal): Promise<VmInstance> {
    const startedAt = performance.now();
    requireHonoured(this, config.spec);
    const { launched, kind } = await this.#start(config, signal);
    const { vmm, folder } = launched;
    try {
      await orDeath(vmm, config, signal, (scope) =>
        config.greeter.greet(vmm.wirePath, folder.id, scope),
      );
    } catch (error) {
      await vmm.kill();
      throw error;
    }
    return {
      id: folder.id,
      pid: vmm.pid,
      socketPath: vmm.wirePath,
      spawnTimeMs: performance.now() - startedAt,
      kind,
      exited: vmm.exited,
      stop: vmm.kill, // a machine holds nothing that its end could lose
      kill: vmm.kill,
    };
  }

  /** A clone; where its load was refused, the template is dropped and the machine boots, once. */
  async #start(
    config: SpawnConfig,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly launched: Launched; readonly kind: SpawnKind }> {
    const template = await this.#template(config, signal);
    if (template !== undefined) {
      config.onPhase?.("cloning");
      try {
        return { launched: await this.#clone(template, config, signal), kind: "clone" };
      } catch (error) {
        if (!isRefusal(error)) throw error;
        await this.#options.templates?.drop(template.key);
      }
    }
    config.onPhase?.("booting");
    return { launched: await this.#boot(config, [], signal), kind: "cold" };
  }

  async #template(config: SpawnConfig, signal?: AbortSignal): Promise<Template | undefined> {
    if (this.#templates === undefined) return undefined;
    return this.#templates.get({
      key: await this.templateKey(config.spec),
      make: (draft) => this.#freeze(draft, config, signal),
    });
  }

  /** Everything that could change a template, or a clone's being able to run it, as one hash. */
  async templateKey(spec: VmSpec): Promise<string> {
    const { version, fingerprint } = await this.#findBinary();
    const { architecture } = this.#options;
    const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
    const processor = /^(model name|flags|Features)\s*:.*$/gm;
    const host = [release(), ...new Set(cpuinfo.match(processor))];
    const neutral = { ...spec, image: { ...spec.image, kernelPath: "", initramfsPath: "" } };
    const calls = listBoot({ spec: neutral, architecture });
    const facts = ["firecracker 1", spec.image.digest, version, fingerprint, host, calls];
    return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
  }

  async #freeze(draft: TemplateDraft, config: SpawnConfig, signal?: AbortSignal): Promise<Buffer> {
    config.onPhase?.("freezing template");
    await writeFile(draft.ramPath, "");
    // the folder above is private, so this opens it to the machine's own user and nobody else
    await chmod(draft.ramPath, this.#options.tools.asRoot ? 0o666 : 0o600);
    const memory = { name: names.memory, path: draft.ramPath, writable: true };
    const { vmm } = await this.#boot(config, [memory], signal);
    try {
      await orDeath(vmm, config, signal, (scope) => config.greeter.prepare(vmm.wirePath, scope));
      await vmm.api.tell(listFreeze(), { timeoutMs: freezeTimeoutMs, signal });
      const state = await readState(vmm.pathOf(names.state));
      await vmm.kill();
      await chmod(draft.ramPath, 0o644); // a clone's user reads it, and never writes
      return state;
    } finally {
      await vmm.kill();
    }
  }

  async #boot(
    config: SpawnConfig,
    more: readonly PlacedFile[],
    signal: AbortSignal | undefined,
  ): Promise<Launched> {
    const { spec } = config;
    const { architecture, kernels } = this.#options;
    const files = [
      readOnly(names.kernel, await kernels.open(spec.image.kernelPath)),
      readOnly(names.initramfs, spec.image.initramfsPath),
      ...more,
    ];
    return this.#launch(config, { files, calls: listBoot({ spec, architecture }) }, signal);
  }

  async #clone(
    { ramPath, state }: Template,
    config: SpawnConfig,
    signal: AbortSignal | undefined,
  ): Promise<Launched> {
    const { version } = await this.#findBinary();
    const calls = listThaw(capabilitiesOf(version));
    const files = [readOnly(names.memory, ramPath)];
    return this.#launch(config, { files, calls, state }, signal);
  }

  async #launch(
    { spec, onFrozen, clock }: SpawnConfig,
    own: Pick<FirecrackerStart, "files" | "calls" | "state">,
    signal: AbortSignal | undefined,
  ): Promise<Launched> {
    signal?.throwIfAborted();
    const { runtimeDir, tools, jailer, kvmPath = kvmDevice } = this.#options;
    const { path: binary } = await this.#findBinary();
    const folder = await createMachineFolder(runtimeDir, tools.asRoot, {
      groupParents: tools.groupParents,
    });
    if (onFrozen !== undefined) folder.watchFrozen(onFrozen);
    const { layerPath } = spec.image;
    const layer = layerPath === undefined ? [] : [readOnly(names.layer, layerPath)];
    const files = [...own.files, ...layer];
    const start = { ...own, binary, spec, folder, tools, files, kvmPath, jailer, clock };
    return { folder, vmm: await startFirecracker(start, signal) };
  }

  #findBinary(): Promise<ReleaseProgram> {
    const { searchPath, versions } = this.#options;
    this.#binary ??= findFirecracker(searchPath, versions);
    return this.#binary;
  }
}

interface Launched {
  readonly folder: MachineFolder;
  readonly vmm: FirecrackerProcess;
}

function readOnly(name: string, path: string): PlacedFile {
  return { name, path, writable: false };
}

/** A load that failed ends the process, which may be before it said why. */
function isRefusal(error: unknown): boolean {
  return (
    isLuminaGuardError(error, "HYPERVISOR_REFUSED") || isLuminaGuardError(error, "VM_BOOT_FAILED")
  );
}

async function readState(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > stateBytesMax) {
    throw new LuminaGuardError("WIRE_LIMIT", `the device state has ${size} bytes`);
  }
  return readFile(path);
}
