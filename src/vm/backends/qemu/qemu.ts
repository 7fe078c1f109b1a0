/**
 * QEMU as a hypervisor. With templates, the first machine of a spec is booted once, frozen, and every
 * machine is then a copy-on-write clone of it; without, each machine boots.
 */
import { createHash } from "node:crypto";
import { chmod, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { atLeast } from "../../../base/version.ts";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../../../errors.ts";
import { orDeath } from "../../boot-step.ts";
import type { ConfinementTools } from "../../walls/confinement.ts";
import type {
  ArrivingStream,
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SaveKey,
  SavedMachine,
  SpawnConfig,
  SpawnKind,
  VmInstance,
} from "../../hypervisor.ts";
import { createMachineFolder } from "../../register/machine-folder.ts";
import type { MachineFolder } from "../../register/machine-folder.ts";
import { createFilling } from "../../memory-file.ts";
import { refuseRosetta, requireHonoured } from "../../require-honoured.ts";
import { requireSameKey } from "../../save-key.ts";
import type { VmSpec } from "../../spec.ts";
import { buildQemuArgs, listImageFiles } from "./qemu-args.ts";
import type { Accelerator, Architecture, RamFile } from "./qemu-args.ts";
import { startQemu } from "./qemu-process.ts";
import type { IncomingLoad, QemuProcess } from "./qemu-process.ts";
import { findQemu } from "./qemu-binary.ts";
import type { QemuBinary, QemuVersions } from "./qemu-binary.ts";
import { freeze } from "./freeze.ts";
import { departMachine, loadMachine } from "./migrate.ts";
import { describeProcessor, savedFiles, saveMachine, suspendMachine } from "./save.ts";
import { TemplateSource } from "../../templates/template-source.ts";
import type { Template, TemplateDraft, TemplateStore } from "../../templates/template-store.ts";

export interface QemuHypervisorOptions {
  readonly accelerator: Accelerator;
  readonly architecture: Architecture;
  /** folder of machines' sockets, private to this user */
  readonly runtimeDir: string;
  /** frozen machines; without a store every machine boots */
  readonly templates?: TemplateStore | undefined;
  readonly tools: ConfinementTools;
  /** programs are looked up here */
  readonly searchPath: string;
  readonly versions?: QemuVersions | undefined;
  /** ticks of the host's time-stamp counter in `kHz`; matters where x86 is emulated */
  readonly tscKhz?: number | undefined;
}

/** from here on a memory file can be mapped without opening it for writing */
const readOnlyRamVersion = "8.2.0";

export class QemuHypervisor implements Hypervisor {
  readonly name = "qemu";
  readonly accelerator: Accelerator;
  readonly features: HypervisorFeatures;
  readonly #options: QemuHypervisorOptions;
  #binary: Promise<QemuBinary> | undefined;
  readonly #templates: TemplateSource | undefined;

  constructor(options: QemuHypervisorOptions) {
    this.#options = options;
    this.accelerator = options.accelerator;
    this.#templates = options.templates && new TemplateSource(options.templates);
    this.features = Object.freeze({
      templates: options.templates !== undefined,
      hardwareVirtualization: options.accelerator !== "tcg",
    });
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
    const microvm = this.#options.architecture === "x64";
    const tooMany = microvm && spec.vcpus > 16;
    const processors = `${spec.vcpus} vcpus: this machine type has 16 at most`;
    return [...(tooMany ? [processors] : []), ...refuseRosetta(spec)];
  }

  async spawn(config: SpawnConfig, signal?: AbortSignal): Promise<VmInstance> {
    const startedAt = performance.now();
    requireHonoured(this, config.spec);
    const template = await this.#template(config, signal);
    const kind: SpawnKind = template === undefined ? "cold" : "clone";
    config.onPhase?.(template === undefined ? "booting" : "cloning");
    const launched = await this.#start(config, template, signal);
    await this.#greet(launched, config, signal);
    if (template !== undefined && launched.ram?.path === template.ramPath) {
      await this.#auditAfter(launched, template.key);
    }
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
      // a machine could write into what it was given: what is saved is never given to one
      throw new LuminaGuardError("CONFIG_INVALID", "a restored machine needs a memory folder");
    }
    requireSameKey(saved.key, await this.saveKey(config.spec));
    config.onPhase?.("restoring");
    const frozen: FrozenMachine = {
      ramPath: join(saved.folder, savedFiles.memory),
      state: await readFile(join(saved.folder, savedFiles.devices)),
      hadHost: true,
    };
    const launched = await this.#start(config, frozen, signal);
    await this.#greet(launched, config, signal);
    return this.#instance(launched, config, { kind: "restored", startedAt });
  }

  async arrive(
    arriving: ArrivingStream,
    config: SpawnConfig,
    signal?: AbortSignal,
  ): Promise<VmInstance> {
    const startedAt = performance.now();
    requireHonoured(this, config.spec);
    if (config.memoryFolder === undefined || !this.#canSave) {
      throw new LuminaGuardError("CONFIG_INVALID", "a machine that arrives needs a memory folder");
    }
    requireSameKey(arriving.key, await this.saveKey(config.spec));
    config.onPhase?.("restoring");
    const ram = await this.#memoryOf(config, signal);
    const launched = await this.#launch(config, ram, "arriving", signal);
    try {
      await loadMachine(launched.vmm, arriving, signal);
    } catch (error) {
      await launched.vmm.kill();
      throw error;
    }
    await this.#greet(launched, config, signal);
    return this.#instance(launched, config, { kind: "restored", startedAt });
  }

  /** What a machine of this spec that is saved here has in common with whoever loads it. */
  async saveKey(spec: VmSpec): Promise<SaveKey> {
    const { version } = await this.#findBinary();
    const { accelerator, tscKhz } = this.#options;
    const args = this.#neutralArgs(spec, undefined);
    return {
      backend: `${this.name}/${accelerator}`,
      version,
      cpu: await describeProcessor(accelerator, tscKhz),
      imageDigest: spec.image.digest,
      arguments: createHash("sha256").update(JSON.stringify(args)).digest("hex"),
    };
  }

  async #greet(
    { vmm, folder }: Launched,
    config: SpawnConfig,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      await orDeath(vmm, config, signal, (scope) =>
        config.greeter.greet(vmm.wire, folder.id, scope),
      );
    } catch (error) {
      await vmm.kill();
      throw error;
    }
  }

  /** A clone that could have written into its template's memory: that is looked at after its end. */
  async #auditAfter({ vmm }: Launched, key: string): Promise<void> {
    if (await this.#mapsReadOnly()) return;
    void vmm.exited.then(() => this.#options.templates?.audit(key));
  }

  #instance(
    { folder, vmm, wirePath, ram }: Launched,
    { spec, clock }: SpawnConfig,
    { kind, startedAt }: { readonly kind: SpawnKind; readonly startedAt: number },
  ): VmInstance {
    const ownMemory = ram?.use === "source" ? ram.path : undefined;
    return {
      id: folder.id,
      pid: vmm.pid,
      socketPath: wirePath,
      spawnTimeMs: performance.now() - startedAt,
      kind,
      exited: vmm.exited,
      consoleTail: vmm.consoleTail,
      stop: vmm.quit,
      kill: vmm.kill,
      saveKey: ownMemory === undefined ? undefined : () => this.saveKey(spec),
      depart: ownMemory === undefined ? undefined : (signal) => departMachine(vmm, signal),
      save:
        ownMemory === undefined
          ? undefined
          : async (to, signal) => {
              const key = await this.saveKey(spec);
              return { key, stopMs: await saveMachine(vmm, ownMemory, to, { signal, clock }) };
            },
      suspend:
        ownMemory === undefined
          ? undefined
          : async (to, signal) => {
              const key = await this.saveKey(spec);
              return { key, ...(await suspendMachine(vmm, ownMemory, to, { signal, clock })) };
            },
    };
  }

  async #template(config: SpawnConfig, signal?: AbortSignal): Promise<Template | undefined> {
    if (this.#templates === undefined) return undefined;
    return this.#templates.get({
      key: await this.templateKey(config.spec),
      make: (draft) => this.#freeze(draft, config, signal),
    });
  }

  async #freeze(draft: TemplateDraft, config: SpawnConfig, signal?: AbortSignal): Promise<Buffer> {
    config.onPhase?.("freezing template");
    await this.#makeMemory(draft.ramPath, config.spec);
    await this.#openToMachine(draft.ramPath);
    const ram: RamFile = { path: draft.ramPath, use: "source" };
    const { vmm, wirePath } = await this.#launch(config, ram, "boots", signal);
    try {
      await orDeath(vmm, config, signal, (scope) => config.greeter.prepare(wirePath, scope));
      return await freeze(vmm.control, vmm.statePath, signal, config.clock);
    } finally {
      await vmm.kill();
    }
  }

  /** Everything that could change a template, as one hash. */
  async templateKey(spec: VmSpec): Promise<string> {
    const binary = await this.#findBinary();
    const args = this.#neutralArgs(spec, this.#options.tscKhz);
    const facts = ["template 1", spec.image.digest, binary.version, binary.fingerprint, args];
    return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
  }

  /** The command line without what differs from machine to machine. */
  #neutralArgs(spec: VmSpec, tscKhz: number | undefined): readonly string[] {
    const neutral = {
      ...spec,
      image: { ...spec.image, kernelPath: "", initramfsPath: "", layerPath: undefined },
    };
    const { accelerator, architecture } = this.#options;
    const own = { spec: neutral, accelerator, architecture, tscKhz };
    return buildQemuArgs({ ...own, wirePath: "", incoming: false });
  }

  async #start(
    config: SpawnConfig,
    frozen: FrozenMachine | undefined,
    signal?: AbortSignal,
  ): Promise<Launched> {
    if (frozen === undefined) {
      return this.#launch(config, await this.#memoryOf(config, signal), "boots", signal);
    }
    const { memoryFolder } = config;
    const { state, hadHost } = frozen;
    if (memoryFolder === undefined || !this.#canSave) {
      const use = (await this.#mapsReadOnly()) ? "clone-readonly" : "clone";
      const ram: RamFile = { path: frozen.ramPath, use };
      return this.#launch(config, ram, "incoming", signal, { state, hadHost });
    }
    const ram: RamFile = { path: join(memoryFolder, savedFiles.memory), use: "source" };
    const memory = await createFilling(frozen.ramPath, ram.path, { signal });
    try {
      await this.#openToMachine(ram.path);
      return await this.#launch(config, ram, "incoming", signal, { state, hadHost, memory });
    } catch (error) {
      await memory.giveUp();
      throw error;
    }
  }

  /** The machine's own where it is to be saved. */
  async #memoryOf(
    { spec, memoryFolder }: SpawnConfig,
    signal?: AbortSignal,
  ): Promise<RamFile | undefined> {
    if (memoryFolder === undefined || !this.#canSave) return undefined;
    signal?.throwIfAborted();
    const path = join(memoryFolder, savedFiles.memory);
    await this.#makeMemory(path, spec);
    await this.#openToMachine(path);
    return { path, use: "source" };
  }

  async #makeMemory(path: string, spec: VmSpec): Promise<void> {
    await writeFile(path, "", { mode: 0o600 });
    await truncate(path, spec.memoryMib * 1024 ** 2);
  }

  /** The folder above is private, so this opens it to the machine's own user and nobody else. */
  async #openToMachine(path: string): Promise<void> {
    await chmod(path, this.#options.tools.asRoot ? 0o666 : 0o600);
  }

  /** WHPX registers a migration blocker: target/i386/whpx/whpx-all.c. */
  get #canSave(): boolean {
    return this.accelerator !== "whpx";
  }

  async #launch(
    { spec, onFrozen, clock }: SpawnConfig,
    ram: RamFile | undefined,
    start: "boots" | "incoming" | "arriving",
    signal?: AbortSignal,
    load?: IncomingLoad,
  ): Promise<Launched> {
    signal?.throwIfAborted();
    const { accelerator, architecture, runtimeDir, tools, tscKhz } = this.#options;
    const binary = await this.#findBinary();
    const folder = await createMachineFolder(runtimeDir, tools.asRoot, {
      groupParents: tools.groupParents,
      hasNetwork: spec.nic !== "none",
    });
    if (onFrozen !== undefined) folder.watchFrozen(onFrozen);
    const wirePath = `${folder.path}/wire.sock`;
    const seccomp = tools.tethered !== true;
    const incoming = start !== "boots";
    const paused = start === "arriving";
    const base = { spec, accelerator, architecture, wirePath, ram, tscKhz, seccomp };
    const own = { ...base, incoming, paused };
    const files = listImageFiles(own);
    const ramFiles = ram === undefined ? [] : [ram.path];
    const readOnlyRam = ram?.use === "clone-readonly";
    const vmm = await startQemu(
      {
        binary: binary.path,
        args: buildQemuArgs(own),
        spec,
        folder,
        tools,
        readOnly: readOnlyRam ? [...files, ...ramFiles] : files,
        readWrite: readOnlyRam ? [] : ramFiles,
        devices: accelerator === "kvm" ? ["/dev/kvm"] : [],
        load,
        awaitsMachine: paused,
        clock,
      },
      signal,
    );
    return { folder, vmm, wirePath, ram };
  }

  /** Whether a clone's QEMU opens the template's memory for reading only. */
  async #mapsReadOnly(): Promise<boolean> {
    return atLeast((await this.#findBinary()).version, readOnlyRamVersion);
  }

  #findBinary(): Promise<QemuBinary> {
    const { architecture, searchPath, versions } = this.#options;
    this.#binary ??= findQemu(architecture, searchPath, versions);
    return this.#binary;
  }
}

interface Launched {
  readonly folder: MachineFolder;
  readonly vmm: QemuProcess;
  readonly wirePath: string;
  /** the file behind its memory, if there is one */
  readonly ram: RamFile | undefined;
}

/** Where a machine goes on from: a template, or one that was saved. */
interface FrozenMachine {
  readonly ramPath: string;
  readonly state: Buffer;
  /** it was spoken to when it was frozen @default false */
  readonly hadHost?: boolean | undefined;
}
