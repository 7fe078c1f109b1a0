/**
 * QEMU as a hypervisor. With templates, the first machine of a spec is booted once, frozen, and every
 * machine is then a copy-on-write clone of it; without, each machine boots.
 */
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { chmod, statfs, truncate, writeFile } from "node:fs/promises";
import { withDeadline } from "../../../base/deadline.ts";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../../../errors.ts";
import type { ConfinementTools } from "../../confinement.ts";
import type {
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SpawnConfig,
  SpawnKind,
  VmInstance,
} from "../../hypervisor.ts";
import { createMachineFolder } from "../../machine-folder.ts";
import type { MachineFolder } from "../../machine-folder.ts";
import type { VmSpec } from "../../spec.ts";
import { buildQemuArgs, listImageFiles } from "./qemu-args.ts";
import type { Accelerator, Architecture, RamFile } from "./qemu-args.ts";
import { startQemu } from "./qemu-process.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { atLeast, findQemu } from "./qemu-binary.ts";
import type { QemuBinary, QemuVersions } from "./qemu-binary.ts";
import { freeze } from "./freeze.ts";
import type { Template, TemplateStore } from "../../template-store.ts";

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

/** time between a hypervisor's last sign and its end, in `ms` */
const dyingMs = 1_000;
/** less room than this is none, in `bytes` */
const roomBytesMin = 1024 * 1024;
/** from here on a memory file can be mapped without opening it for writing */
const readOnlyRamVersion = "8.2.0";

export class QemuHypervisor implements Hypervisor {
  readonly name = "qemu";
  readonly accelerator: Accelerator;
  readonly features: HypervisorFeatures;
  readonly #options: QemuHypervisorOptions;
  #binary: Promise<QemuBinary> | undefined;
  readonly #freezing = new Map<string, Promise<Template>>();

  constructor(options: QemuHypervisorOptions) {
    this.#options = options;
    this.accelerator = options.accelerator;
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
    return microvm && spec.vcpus > 16
      ? [`${spec.vcpus} vcpus: this machine type has 16 at most`]
      : [];
  }

  async spawn(config: SpawnConfig, signal?: AbortSignal): Promise<VmInstance> {
    const startedAt = performance.now();
    const refusals = this.check(config.spec);
    if (refusals.length > 0) {
      throw new LuminaGuardError(
        "SPEC_REFUSED",
        `qemu cannot run this machine: ${refusals.join("; ")}`,
      );
    }
    const template = await this.#template(config, signal);
    const kind: SpawnKind = template === undefined ? "cold" : "clone";
    config.onPhase?.(template === undefined ? "booting" : "cloning");
    const { folder, vmm, wirePath } = await this.#start(config, template, signal);
    try {
      await this.#orDeath(vmm, config, signal, (scope) =>
        config.greeter.greet(wirePath, folder.id, scope),
      );
    } catch (error) {
      await vmm.kill();
      throw error;
    }
    if (template !== undefined && !(await this.#mapsReadOnly())) {
      void vmm.exited.then(() => this.#options.templates?.audit(template.key));
    }
    return {
      id: folder.id,
      pid: vmm.pid,
      socketPath: wirePath,
      spawnTimeMs: performance.now() - startedAt,
      kind,
      exited: vmm.exited,
      stop: vmm.quit,
      kill: vmm.kill,
    };
  }

  async #template(config: SpawnConfig, signal?: AbortSignal): Promise<Template | undefined> {
    const store = this.#options.templates;
    if (store === undefined) return undefined;
    const key = await this.templateKey(config.spec);
    const found = await store.open(key);
    if (found !== undefined) return found;
    // concurrent spawns of one image in this process wait for one freeze
    const freezing = this.#freezing.get(key) ?? this.#freeze(key, config, store, signal);
    this.#freezing.set(key, freezing);
    return freezing.finally(() => this.#freezing.delete(key));
  }

  async #freeze(
    key: string,
    config: SpawnConfig,
    store: TemplateStore,
    signal?: AbortSignal,
  ): Promise<Template> {
    config.onPhase?.("freezing template");
    const { spec } = config;
    const draft = await store.draft(key);
    try {
      await writeFile(draft.ramPath, "", { mode: 0o600 });
      await truncate(draft.ramPath, spec.memoryMib * 1024 ** 2);
      // the folder above is private, so this opens it to the machine's own user and nobody else
      if (this.#options.tools.asRoot) await chmod(draft.ramPath, 0o666);
      const ram: RamFile = { path: draft.ramPath, use: "source" };
      const { vmm, wirePath } = await this.#launch(config, ram, false, signal);
      try {
        await this.#orDeath(vmm, config, signal, (scope) =>
          config.greeter.prepare(wirePath, scope),
        );
        const state = await freeze(vmm.control, vmm.statePath, signal, config.clock);
        await vmm.kill();
        await draft.publish(state);
      } finally {
        await vmm.kill();
      }
    } catch (error) {
      const wasFull = await isFull(draft.folder);
      await draft.discard();
      // a machine whose memory file finds no room dies of it, and cannot say why
      throw wasFull && isLuminaGuardError(error, "VM_BOOT_FAILED") ? noRoom(error) : error;
    }
    const made = await store.open(key);
    if (made !== undefined) return made;
    throw new LuminaGuardError(
      "TEMPLATE_INVALID",
      "the new template changed while it was published",
      {
        hint: "is another program writing in the cache folder?",
      },
    );
  }

  /** Everything that could change a template, as one hash. */
  async templateKey(spec: VmSpec): Promise<string> {
    const binary = await this.#findBinary();
    const neutral = {
      ...spec,
      image: { ...spec.image, kernelPath: "", initramfsPath: "", layerPath: undefined },
    };
    const { accelerator, architecture, tscKhz } = this.#options;
    const own = { spec: neutral, accelerator, architecture, tscKhz };
    const args = buildQemuArgs({ ...own, wirePath: "", incoming: false });
    const facts = ["template 1", spec.image.digest, binary.version, binary.fingerprint, args];
    return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
  }

  async #start(
    config: SpawnConfig,
    template: Template | undefined,
    signal?: AbortSignal,
  ): Promise<Launched> {
    if (template === undefined) return this.#launch(config, undefined, false, signal);
    const use = (await this.#mapsReadOnly()) ? "clone-readonly" : "clone";
    const launching = this.#launch(
      config,
      { path: template.ramPath, use },
      true,
      signal,
      template.state,
    );
    return launching;
  }

  async #launch(
    { spec, onFrozen, clock }: SpawnConfig,
    ram: RamFile | undefined,
    incoming: boolean,
    signal?: AbortSignal,
    state?: Buffer,
  ): Promise<Launched> {
    signal?.throwIfAborted();
    const { accelerator, architecture, runtimeDir, tools, tscKhz } = this.#options;
    const binary = await this.#findBinary();
    const folder = await createMachineFolder(runtimeDir, tools.asRoot, tools.groupParents);
    if (onFrozen !== undefined) folder.watchFrozen(onFrozen);
    const wirePath = `${folder.path}/wire.sock`;
    const own = { spec, accelerator, architecture, wirePath, ram, incoming, tscKhz };
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
        incomingState: state,
        clock,
      },
      signal,
    );
    return { folder, vmm, wirePath };
  }

  /** Runs one step of a boot: it ends with the machine's death, its time limit or the caller's signal. */
  async #orDeath(
    vmm: QemuProcess,
    { spec, clock }: SpawnConfig,
    signal: AbortSignal | undefined,
    step: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const over = new AbortController();
    const scope = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    const death = vmm.exited.then(({ reason }) => {
      throw new LuminaGuardError(
        "VM_BOOT_FAILED",
        `the machine ended before it answered: ${reason}`,
        {
          details: { console: vmm.consoleTail() },
        },
      );
    });
    try {
      // a dying hypervisor closes the wire first; why it died says more
      const stepped = step(scope).catch(async (error: unknown) => {
        if (isLuminaGuardError(error, "WIRE_BROKEN"))
          await Promise.race([death, setTimeout(dyingMs)]);
        throw error;
      });
      const work = Promise.race([stepped, death]);
      await withDeadline(work, {
        timeoutMs: spec.bootTimeoutMs,
        what: "booting the machine",
        signal,
        clock,
      });
    } finally {
      over.abort();
      death.catch(() => undefined);
    }
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

async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < roomBytesMin;
}

function noRoom(cause: unknown): LuminaGuardError {
  return new LuminaGuardError("HOST_LIMIT", "the disk is full: there is no room for a template", {
    hint: "free some disk space, or make room with: luminaguard cache prune",
    cause,
  });
}

interface Launched {
  readonly folder: MachineFolder;
  readonly vmm: QemuProcess;
  readonly wirePath: string;
}
