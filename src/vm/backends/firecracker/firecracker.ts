/**
 * Firecracker as a hypervisor. With templates, the first machine of a spec is booted once and frozen into
 * a snapshot, and every machine is then a copy-on-write clone of it; without, each machine boots.
 */
import { createHash } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../../../errors.ts";
import { orDeath } from "../../boot-step.ts";
import type { ConfinementTools } from "../../walls/confinement.ts";
import type {
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SaveKey,
  SavedMachine,
  SpawnConfig,
  SpawnKind,
  VmInstance,
} from "../../hypervisor.ts";
import type { KernelStore } from "../../kernel/kernel-store.ts";
import type { ReleaseProgram, Versions } from "../../walls/jailer.ts";
import { kvmDevice, requireKvm } from "../../kvm-device.ts";
import { createMachineFolder } from "../../register/machine-folder.ts";
import type { MachineFolder } from "../../register/machine-folder.ts";
import { copyMemory } from "../../memory-file.ts";
import { describeHostProcessor } from "../../processor.ts";
import { refuseNic, refuseRosetta, requireHonoured } from "../../require-honoured.ts";
import { requireSameKey } from "../../save-key.ts";
import type { VmSpec } from "../../spec.ts";
import { TemplateSource } from "../../templates/template-source.ts";
import type { Template, TemplateDraft, TemplateStore } from "../../templates/template-store.ts";
import { listBoot, listFreeze, listThaw, names } from "./calls.ts";
import type { ApiCall, PlacedFile } from "./calls.ts";
import { findFirecracker } from "./firecracker-binary.ts";
import { startFirecracker } from "./firecracker-process.ts";
import type { FirecrackerProcess, FirecrackerStart } from "./firecracker-process.ts";
import { freezeTimeoutMs, readState, savedFiles, saveMachine, suspendMachine } from "./save.ts";
import type { SaveParts } from "./save.ts";
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
    return [...refuseNic(spec), ...refuseRosetta(spec)];
  }

  async spawn(config: SpawnConfig, signal?: AbortSignal): Promise<VmInstance> {
    const startedAt = performance.now();
    requireHonoured(this, config.spec);
    const { launched, kind } = await this.#start(config, signal);
    await greet(launched, config, signal);
    return this.#instance(launched, config, { kind, startedAt });
  }

  async restore(
    saved: SavedMachine,
    config: SpawnConfig,
    signal?: AbortSignal,
  ): Promise<VmInstance> {
    const startedAt = performance.now();
    requireHonoured(this, config.spec);
    if (config.memoryFolder === undefined) {
      // what it maps must not change as long as it runs: what is saved is its owner's to remove
      throw new LuminaGuardError("CONFIG_INVALID", "a restored machine needs a memory folder");
    }
    requireSameKey(saved.key, await this.saveKey(config.spec));
    config.onPhase?.("restoring");
    const state = await readState(join(saved.folder, savedFiles.state));
    const ramPath = join(config.memoryFolder, names.memory);
    await copyMemory(join(saved.folder, savedFiles.memory), ramPath, { signal });
    await chmod(ramPath, 0o644); // the folder is private: this opens it to the machine's own user
    const launched = await this.#clone({ ramPath, state }, config, signal);
    await greet(launched, config, signal);
    return this.#instance(launched, config, { kind: "restored", startedAt });
  }

  /** What a machine of this spec that is saved here has in common with whoever loads it. */
  async saveKey(spec: VmSpec): Promise<SaveKey> {
    const { version } = await this.#findBinary();
    // KVM is half of it: snapshots are not promised to load on another kernel (snapshot-support.md)
    const kernel = /^\d+\.\d+/.exec(release())?.[0] ?? release();
    const calls = this.#neutralCalls(spec);
    return {
      backend: `${this.name}/${this.accelerator}`,
      version,
      cpu: `${await describeHostProcessor()}, KVM of Linux ${kernel}`,
      imageDigest: spec.image.digest,
      arguments: createHash("sha256").update(JSON.stringify(calls)).digest("hex"),
    };
  }

  #instance(
    { folder, vmm, saveTo }: Launched,
    config: SpawnConfig,
    { kind, startedAt }: { readonly kind: SpawnKind; readonly startedAt: number },
  ): VmInstance {
    return {
      id: folder.id,
      pid: vmm.pid,
      socketPath: vmm.wirePath,
      spawnTimeMs: performance.now() - startedAt,
      kind,
      exited: vmm.exited,
      stop: vmm.kill, // a machine holds nothing that its end could lose
      kill: vmm.kill,
      ...(saveTo === undefined
        ? {}
        : this.#saves({ vmm, memoryPath: saveTo, config }, config.spec)),
    };
  }

  /** The facets of a machine that can be saved. */
  #saves(
    parts: SaveParts,
    spec: VmSpec,
  ): Required<Pick<VmInstance, "save" | "suspend" | "saveKey">> {
    return {
      saveKey: () => this.saveKey(spec),
      save: async (to, signal) => {
        const key = await this.saveKey(spec);
        return { key, stopMs: await saveMachine(parts, to, signal) };
      },
      suspend: async (to, signal) => {
        const key = await this.saveKey(spec);
        return { key, ...(await suspendMachine(parts, to, signal)) };
      },
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
    const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
    const processor = /^(model name|flags|Features)\s*:.*$/gm;
    const host = [release(), ...new Set(cpuinfo.match(processor))];
    const calls = this.#neutralCalls(spec);
    const facts = ["firecracker 1", spec.image.digest, version, fingerprint, host, calls];
    return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
  }

  /** What a machine is told, without what differs from machine to machine. */
  #neutralCalls(spec: VmSpec): readonly ApiCall[] {
    const { architecture } = this.#options;
    const neutral = { ...spec, image: { ...spec.image, kernelPath: "", initramfsPath: "" } };
    return listBoot({ spec: neutral, architecture });
  }

  async #freeze(draft: TemplateDraft, config: SpawnConfig, signal?: AbortSignal): Promise<Buffer> {
    config.onPhase?.("freezing template");
    await this.#makeWritable(draft.ramPath);
    const memory = { name: names.memory, path: draft.ramPath, writable: true };
    const { vmm } = await this.#boot({ ...config, memoryFolder: undefined }, [memory], signal);
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
    { ramPath, state }: Pick<Template, "ramPath" | "state">,
    config: SpawnConfig,
    signal: AbortSignal | undefined,
  ): Promise<Launched> {
    const { version } = await this.#findBinary();
    const calls = listThaw(capabilitiesOf(version));
    const files = [readOnly(names.memory, ramPath)];
    return this.#launch(config, { files, calls, state }, signal);
  }

  async #launch(
    { spec, onFrozen, clock, memoryFolder }: SpawnConfig,
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
    const saveTo = memoryFolder && join(memoryFolder, names.savedMemory);
    if (saveTo !== undefined) await this.#makeWritable(saveTo);
    const saved =
      saveTo === undefined ? [] : [{ name: names.savedMemory, path: saveTo, writable: true }];
    const files = [...own.files, ...layer, ...saved];
    const start = { ...own, binary, spec, folder, tools, files, kvmPath, jailer, clock };
    return { folder, vmm: await startFirecracker(start, signal), saveTo };
  }

  /** An empty file. The folder above is private, so this opens it to the machine's own user and nobody else. */
  async #makeWritable(path: string): Promise<void> {
    await writeFile(path, "");
    await chmod(path, this.#options.tools.asRoot ? 0o666 : 0o600);
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
  /** what its memory is written into when it is saved, if it can be */
  readonly saveTo: string | undefined;
}

async function greet(
  { vmm, folder }: Launched,
  config: SpawnConfig,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await orDeath(vmm, config, signal, (scope) =>
      config.greeter.greet(vmm.wirePath, folder.id, scope),
    );
  } catch (error) {
    await vmm.kill();
    throw error;
  }
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
