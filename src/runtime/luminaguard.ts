/**
 * The composition root: joins config, images, hypervisor, wire and workspace. Start reading here.
 * Everything expensive (probing, building, booting) waits until it is needed, and then happens once.
 */
import { PausableClock } from "../base/clock.ts";
import { toHostError } from "../base/host-error.ts";
import type { Config, LoadedConfig } from "../config/config.ts";
import { readVersion } from "../config/version.ts";
import type { BuildProgress } from "../image/build-image.ts";
import { createImageStore } from "../image/image-store.ts";
import type { ImageStore } from "../image/image-store.ts";
import type { SavedMachine, SpawnPhase } from "../vm/hypervisor.ts";
import { PolicyDesk } from "./policy-desk.ts";
import { reapMachines } from "../vm/machine-folder.ts";
import { ManagedVm } from "../vm/managed-vm.ts";
import { Pool } from "../vm/pool.ts";
import { SnapshotStore } from "../vm/snapshots/snapshot-store.ts";
import { resolveVmSpec } from "../vm/spec.ts";
import { resolveWorkspaceRoot } from "../workspace/workspace-root.ts";
import { AuditDesk } from "./audit-desk.ts";
import { CacheDesk } from "./cache-desk.ts";
import { ChangeDesk } from "./change-desk.ts";
import { createGreeter } from "./greeter.ts";
import { DryGround, HostGround } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { CliffDesk } from "./cliff-desk.ts";
import { MachineDesk } from "./machine-desk.ts";
import { useNetworkCardPermit } from "./network-card.ts";
import type { NetworkCardPermit } from "./network-card.ts";
import { KeptDesk } from "./kept/kept-desk.ts";
import { McpDesk } from "./mcp-desk.ts";
import { Machine } from "./machine.ts";
import type { MachineFacts } from "./machine.ts";
import type { OpenLedger } from "./open-ledger.ts";
import { SharedLedger } from "./shared-ledger.ts";

export interface SpawnOptions {
  /** @default the configured image, "base" */
  readonly image?: string | undefined;
  /** @default the configured memory, 512 MiB */
  readonly memoryMib?: number | undefined;
  /** @default the configured number, 1 */
  readonly vcpus?: number | undefined;
  /** `auto`, a backend, or a backend and its accelerator, such as "qemu/tcg"
   * @default the configured one, "auto" */
  readonly hypervisor?: string | undefined;
  /** variables of every command in the machine */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** longest boot in `ms`
   * @default 60_000 */
  readonly bootTimeoutMs?: number | undefined;
  /** called as the spawn goes on, for a person who waits */
  readonly onPhase?: ((phase: SpawnPhase | BuildProgress) => void) | undefined;
  /** called when a person stopped the machine, while it boots or later, and when it goes on */
  readonly onFrozen?: ((isFrozen: boolean, machine: string) => void) | undefined;
  /**
   * An empty private folder for the machine's memory, so that it can be saved. The caller's to remove.
   * @default none: the machine cannot be saved
   */
  readonly memoryFolder?: string | undefined;
  /** the machine goes on where this one was saved; image, memory and processors have to be its own
   * @default a new machine */
  readonly saved?: SavedMachine | undefined;
  /** a network card, which a person approved for this one machine
   * @default none */
  readonly networkCard?: NetworkCardPermit | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LuminaGuardParts extends Pick<LoadedConfig, "config" | "toolEnvironment"> {
  /** machines are fakes that run nothing */
  readonly dryRun: boolean;
}

/** a warm machine's first command is over by then */
const refillDelayMs = 50;

export class LuminaGuard implements AsyncDisposable {
  readonly config: Config;
  readonly images: ImageStore;
  readonly changes: ChangeDesk;
  /** every machine of this user, whoever owns it: where a STOP is given */
  readonly machines: MachineDesk;
  /** machines that outlive a command, each held by a supervisor */
  readonly kept: KeptDesk;
  readonly snapshots: SnapshotStore;
  readonly cache: CacheDesk;
  readonly policy: PolicyDesk;
  /** the Approval Cliff: what leaves a machine is asked about here */
  readonly approvals: CliffDesk;
  readonly audit: AuditDesk;
  /** MCP servers by name */
  readonly mcp: McpDesk;
  /** this host, for whoever wants to know what it can do */
  readonly host: HostGround;
  readonly #ground: Ground;
  readonly #toolEnvironment: Readonly<Record<string, string>>;
  readonly #spawned = new Set<Machine>();
  readonly #ledger: SharedLedger;
  /** null: machines that run nothing leave no record */
  readonly #records: SharedLedger | null;

  constructor({ config, toolEnvironment, dryRun }: LuminaGuardParts) {
    this.config = config;
    this.#toolEnvironment = toolEnvironment;
    this.images = createImageStore({ cacheDir: config.cacheDir, env: toolEnvironment });
    this.changes = new ChangeDesk(config.stateDir);
    this.machines = new MachineDesk(config.runtimeDir);
    this.snapshots = new SnapshotStore(config.stateDir, {
      countMax: config.snapshotsMax,
      bytesMax: config.snapshotsMibMax * 1024 ** 2,
    });
    this.kept = new KeptDesk({ config, toolEnvironment, snapshots: this.snapshots });
    this.cache = new CacheDesk(config.cacheDir, this.images);
    this.policy = new PolicyDesk(config);
    const openLedger = (): Promise<OpenLedger> => this.openLedger();
    this.approvals = new CliffDesk({ config, policies: this.policy, openLedger });
    this.#ledger = new SharedLedger(config);
    this.#records = dryRun ? null : this.#ledger;
    this.audit = new AuditDesk(openLedger);
    this.mcp = new McpDesk({ config, version: readVersion(), spawn: (wish) => this.spawn(wish) });
    this.host = new HostGround(config, this.images);
    this.#ground = dryRun ? new DryGround(config.runtimeDir) : this.host;
  }

  /**
   * A fresh machine. The base image is built when it is missing. Raises IMAGE_NOT_FOUND,
   * HYPERVISOR_UNAVAILABLE, VM_BOOT_FAILED, FROZEN, HOST_LIMIT, SNAPSHOT_MISMATCH, or the signal's reason.
   */
  async spawn(options: SpawnOptions = {}): Promise<Machine> {
    try {
      return await this.#spawn(options);
    } catch (error) {
      throw toHostError(error, "a machine cannot be made");
    }
  }

  async #spawn(options: SpawnOptions): Promise<Machine> {
    const { signal, onPhase, env = {}, bootTimeoutMs, memoryFolder, saved, networkCard } = options;
    const imageName = options.image ?? this.config.image;
    this.#records?.prepare();
    const { image, container, hypervisor, canaries } = await this.#ground.prepare(
      imageName,
      options,
    );
    const nic = networkCard === undefined ? "none" : "user";
    const spec = resolveVmSpec({
      image,
      nic,
      memoryMib: options.memoryMib ?? this.config.memoryMib,
      vcpus: options.vcpus ?? this.config.cpus,
      bootTimeoutMs,
    });
    const clock = new PausableClock();
    const greeter = createGreeter(clock, saved !== undefined);
    const onFrozen = (isFrozen: boolean, id: string): void => {
      clock.setPaused(isFrozen);
      options.onFrozen?.(isFrozen, id);
    };
    if (networkCard !== undefined) useNetworkCardPermit(networkCard, imageName);
    const wish = { spec, greeter, onPhase, onFrozen, clock, memoryFolder };
    const vm = new ManagedVm(hypervisor, wish, saved);
    const instance = await vm.boot(signal);
    const { name: backend, accelerator } = hypervisor;
    const desk = this.machines;
    const facts: MachineFacts = { backend, accelerator, nic, canaries };
    const machine = new Machine(vm, instance, greeter.wire(), {
      ...{ env, facts, container },
      ...{ desk, clock },
    });
    this.#spawned.add(machine);
    void instance.exited.then(() => this.#spawned.delete(machine));
    await this.#recordLife(machine, { image: imageName, backend, accelerator, nic });
    return machine;
  }

  /** A machine whose start cannot be recorded is not given out. */
  async #recordLife(machine: Machine, facts: Readonly<Record<string, string>>): Promise<void> {
    if (this.#records === null) return;
    const records = this.#records;
    try {
      await records.record({ kind: "machine-started", subject: machine.id, facts });
    } catch (error) {
      await machine.stop();
      throw error;
    }
    records.recordWhen(
      machine.exited.then(({ requested, reason }) => {
        return { kind: "machine-stopped", subject: machine.id, facts: { requested, reason } };
      }),
    );
  }

  /** Machines made ahead. The pool is the caller's to close. */
  pool(size: number, options: Omit<SpawnOptions, "signal" | "networkCard"> = {}): Pool<Machine> {
    return new Pool<Machine>({
      size,
      refillDelayMs,
      prepare: async (signal) => {
        const machine = await this.spawn({ ...options, signal });
        // a shell, a program and its output: what most first commands go through
        await machine.exec(["sh", "-c", "/bin/echo ready"], { cwd: "/", signal });
        return machine;
      },
    });
  }

  /** Ends and removes what a killed process of this user left behind. */
  async reap(): Promise<readonly string[]> {
    await Promise.all([this.kept.store.reap(), this.snapshots.reap()]);
    return reapMachines(this.config.runtimeDir, async (id) => {
      const { recordLostMachine } = await import("./lost-machine.ts");
      // it has ended, recorded or not
      await this.openLedger()
        .then((open) => recordLostMachine(open, id))
        .catch(() => undefined);
    });
  }

  /** The folder as a workspace. Raises WORKSPACE_REFUSED for the home folder, "/", and our own folders. */
  resolveWorkspace(folder: string, signal?: AbortSignal): Promise<string> {
    const { homeDir, cacheDir, stateDir, configDir, runtimeDir } = this.config;
    const apart = [cacheDir, stateDir, configDir, runtimeDir];
    return resolveWorkspaceRoot(folder, { home: homeDir, apart, signal });
  }

  /** How to get an image that has the command; `undefined` when nobody knows. */
  async hintForCommand(command: string, imageName?: string): Promise<string | undefined> {
    const { packagesProviding, renderProvidingCommand } = await import("../image/provides.ts");
    const packages = await packagesProviding(command, { env: this.#toolEnvironment });
    if (packages.length === 0) return undefined;
    const image = await this.images.open(imageName ?? this.config.image);
    return `an image that has it: ${renderProvidingCommand(image, packages)}`;
  }

  /** The ledger of this person, opened by the first call. Raises STORE_FAILED or HOST_LIMIT. */
  openLedger(): Promise<OpenLedger> {
    return this.#ledger.open();
  }

  /** Ends every machine. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#spawned].map((machine) => machine.stop()));
    await this.#ledger[Symbol.asyncDispose]();
  }
}
