/**
 * The composition root: joins config, images, hypervisor, wire and workspace. Start reading here.
 * Everything expensive (probing, building, booting) waits until it is needed, and then happens once.
 */
import { PausableClock } from "../base/clock.ts";
import { toHostError } from "../base/host-error.ts";
import type { Config, LoadedConfig } from "../config/config.ts";
import { readVersion } from "../config/version.ts";
import { createImageStore } from "../image/image-store.ts";
import type { ImageStore } from "../image/image-store.ts";
import { PolicyDesk } from "./cliff/policy-desk.ts";
import { reapMachines } from "../vm/register/machine-folder.ts";
import { ManagedVm } from "../vm/managed-vm.ts";
import { Pool } from "../vm/pool.ts";
import { resolveVmSpec } from "../vm/spec.ts";
import { resolveWorkspaceRoot } from "../workspace/workspace-root.ts";
import { AuditDesk } from "./ledger/audit-desk.ts";
import { CacheDesk } from "./cache-desk.ts";
import { ChangeDesk } from "./cliff/change-desk.ts";
import { createGreeter } from "./greeter.ts";
import { DryGround, HostGround } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { CliffDesk } from "./cliff/cliff-desk.ts";
import { MachineDesk } from "./machine-desk.ts";
import { useNetworkCardPermit } from "./network-card.ts";
import { KeptDesk } from "./kept/kept-desk.ts";
import { KeptSnapshots } from "./kept/kept-snapshots.ts";
import { MoveDesk } from "./migration/move-desk.ts";
import { McpDesk } from "./mcp/mcp-desk.ts";
import { Machine } from "./machine.ts";
import type { MachineFacts } from "./machine.ts";
import type { OpenLedger } from "./ledger/open-ledger.ts";
import { SharedLedger } from "./ledger/shared-ledger.ts";
import type { SpawnOptions } from "./spawn-options.ts";

export type { SpawnOptions } from "./spawn-options.ts";

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
  /** of those machines: taken, forked, brought back */
  readonly snapshots: KeptSnapshots;
  /** machines that go to other hosts and come from them */
  readonly moves: MoveDesk;
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
    this.kept = new KeptDesk({ config, toolEnvironment });
    this.snapshots = new KeptSnapshots(this.kept, config);
    this.moves = new MoveDesk({ config, toolEnvironment, kept: this.kept });
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
    const {
      signal,
      onPhase,
      env = {},
      bootTimeoutMs,
      memoryFolder,
      saved,
      arriving,
      networkCard,
    } = options;
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
      rosetta: options.rosetta,
      memoryMib: options.memoryMib ?? this.config.memoryMib,
      vcpus: options.vcpus ?? this.config.cpus,
      bootTimeoutMs,
    });
    const clock = new PausableClock();
    const greeter = createGreeter(clock, saved !== undefined || arriving !== undefined);
    const onFrozen = (isFrozen: boolean, id: string): void => {
      clock.setPaused(isFrozen);
      options.onFrozen?.(isFrozen, id);
    };
    if (networkCard !== undefined) useNetworkCardPermit(networkCard, imageName);
    const wish = { spec, greeter, onPhase, onFrozen, clock, memoryFolder };
    const vm = new ManagedVm(hypervisor, wish, saved, arriving);
    const instance = await vm.boot(signal);
    const { name: backend, accelerator } = hypervisor;
    const desk = this.machines;
    const facts: MachineFacts = { backend, accelerator, nic, canaries };
    const machine = new Machine(vm, instance, greeter.wire, {
      ...{ env, facts, container },
      ...{ desk, clock },
    });
    this.#spawned.add(machine);
    void instance.exited.then(() => this.#spawned.delete(machine));
    await this.#recordLife(machine, { image: imageName, backend, accelerator, nic });
    return machine;
  }

  /** In the audit: a machine went to another host, or came from one. */
  async recordMove(
    kind: string,
    subject: string,
    facts: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#records?.record({ kind, subject, facts });
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
    await Promise.all([this.kept.store.reap(), this.snapshots.store.reap()]);
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
