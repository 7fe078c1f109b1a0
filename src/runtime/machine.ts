/** One running machine with its wire: what a program that uses LuminaGuard holds. */
import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { PausableClock } from "../base/clock.ts";
import { LuminaGuardError, isLuminaGuardError } from "../errors.ts";
import type { ContainerConfig } from "../image/manifest.ts";
import type { CanaryResult } from "../vm/choice/canary.ts";
import type { Nic } from "../vm/spec.ts";
import type { ManagedVm } from "../vm/managed-vm.ts";
import type { Departure, Save, SaveKey, Suspension, VmExit, VmInstance } from "../vm/hypervisor.ts";
import type { WireClient } from "../wire/wire-client.ts";
import { ExecHandle } from "./exec-handle.ts";
import type { ExecOptions } from "./exec-handle.ts";
import { filesOf } from "./machine-files.ts";
import type { MachineFiles } from "./machine-files.ts";
import type { MachineDesk } from "./machine-desk.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

/** What runs a machine, and what was tried before. */
export interface MachineFacts {
  readonly backend: string;
  readonly accelerator: string;
  readonly nic: Nic;
  readonly canaries: readonly CanaryResult[];
}

export interface MachineParts {
  /** variables of every command in the machine */
  readonly env: Readonly<Record<string, string>>;
  readonly facts: MachineFacts;
  /** how the image wants its program run
   * @default none: an image of ours */
  readonly container?: ContainerConfig | undefined;
  /** freezes this machine as it would any other */
  readonly desk: MachineDesk;
  /** stands still while the machine is frozen */
  readonly clock: PausableClock;
}

/** time between a machine's last sign and its end, in `ms` */
const dyingMs = 1_000;

export class Machine implements AsyncDisposable {
  readonly files: MachineFiles;
  readonly #vm: ManagedVm;
  readonly #instance: VmInstance;
  /** the wire as it is now: a save may end it, and another is made */
  readonly #wire: () => WireClient;
  /** what runs this machine */
  readonly facts: MachineFacts;
  /** how the image wants its program run; undefined for images of ours */
  readonly container: ContainerConfig | undefined;
  readonly #env: Readonly<Record<string, string>>;
  readonly #desk: MachineDesk;
  readonly #clock: PausableClock;
  #saving: Promise<unknown> = Promise.resolve();
  /** it is on its way to another host: who lets it go on is who sends it */
  #isLeaving = false;

  constructor(
    vm: ManagedVm,
    instance: VmInstance,
    wire: () => WireClient,
    { env, facts, container, desk, clock }: MachineParts,
  ) {
    this.#vm = vm;
    this.#instance = instance;
    this.#wire = wire;
    this.container = container;
    this.#env = { ...container?.env, ...env };
    this.facts = facts;
    this.#desk = desk;
    this.#clock = clock;
    this.files = filesOf(wire, container?.user);
  }

  get id(): string {
    return this.#instance.id;
  }

  /** the hypervisor process on the host */
  get pid(): number {
    return this.#instance.pid;
  }

  /** from the call of `spawn` until the guest answered, in `ms` */
  get spawnTimeMs(): number {
    return this.#instance.spawnTimeMs;
  }

  get kind(): VmInstance["kind"] {
    return this.#instance.kind;
  }

  /** settles when the machine is gone; never rejects */
  get exited(): Promise<VmExit> {
    return this.#instance.exited;
  }

  /** Runs a command: an array, never parsed by a shell. */
  exec(argv: readonly string[], options: ExecOptions = {}): ExecHandle {
    const { env, cwd = "/workspace", timeoutMs, stdin, tty, signal } = options;
    const user = options.user ?? this.container?.user;
    const start = {
      argv,
      env: { ...this.#env, ...env },
      cwd,
      user,
      timeoutMs,
      tty,
      stdin: stdin !== undefined,
    };
    const wire = this.#wire();
    const command = wire.exec(start, { signal });
    return new ExecHandle(command, options, (error) => this.#explain(error, wire));
  }

  /** A machine that ended by itself closes the wire first; why it ended says more. */
  async #explain(error: unknown, wire: WireClient): Promise<unknown> {
    if (!isLuminaGuardError(error, "WIRE_BROKEN")) return error;
    if (wire !== this.#wire()) return endedBySave(this.id, error);
    const late = setTimeout(dyingMs, undefined, { ref: false });
    const end = await Promise.race([this.exited, late]);
    if (end === undefined || end.requested) return error;
    return new LuminaGuardError("VM_GONE", `the machine ended: ${end.reason}`, {
      hint: "spawn a new machine",
      cause: error,
    });
  }

  /** A byte stream to a port inside the machine. */
  connect(port: number, options: SignalOption = {}): Promise<Duplex> {
    return this.#wire().connectPort(port, "127.0.0.1", options);
  }

  /** Kills every process in the machine but the guest agent. */
  async quiesce(options: SignalOption = {}): Promise<void> {
    await this.#wire().quiesce(options);
  }

  /** the machine is stopped where it was, by whomever, and no wait for it runs out */
  get isFrozen(): boolean {
    return this.#clock.isPaused;
  }

  /** Stops the machine where it is. Raises PROCESS_FAILED when it could not be stopped. */
  async freeze(): Promise<void> {
    const { machines } = await this.#desk.freeze([this.id]);
    if (machines.some(({ state }) => state !== "frozen")) {
      throw new LuminaGuardError("PROCESS_FAILED", `machine ${this.id} could not be stopped`, {
        hint: `luminaguard rm ${this.id}  ends it`,
      });
    }
    this.#clock.setPaused(true);
  }

  /** Lets the machine go on. */
  async resume(): Promise<void> {
    await this.#desk.resume([this.id]);
    this.#clock.setPaused(false);
  }

  /** A stream of the wire for whoever passes another's request on. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    return this.#wire().request(headers);
  }

  /** What the machine last wrote on its console. Hostile text. */
  consoleTail(): string {
    return this.#instance.consoleTail?.() ?? "";
  }

  /** the machine has memory of its own and a hypervisor that can write it down */
  get canBeSaved(): boolean {
    return this.#instance.save !== undefined;
  }

  /**
   * Writes the machine as it is now into an empty private folder; it stands still meanwhile, and another
   * save waits for this one. With some hypervisors it ends what is under way over the wire, which is told
   * by WIRE_RESET. Raises VM_STATE when it cannot be saved, is frozen or on its way to another host, HOST_LIMIT
   * when there is no room.
   */
  async save(folder: string, { signal }: SignalOption = {}): Promise<Save> {
    const { save } = this.#instance;
    if (save === undefined) {
      throw new LuminaGuardError("VM_STATE", `machine ${this.id} cannot be saved`, {
        hint: "luminaguard vm start  starts machines that can, where the hypervisor can: luminaguard doctor",
      });
    }
    const saved = this.#saving.then(() => this.#saveNow(save, folder, signal));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  async #saveNow(
    save: NonNullable<VmInstance["save"]>,
    folder: string,
    signal: AbortSignal | undefined,
  ): Promise<Save> {
    signal?.throwIfAborted();
    this.#requireHere();
    if (this.isFrozen) {
      throw new LuminaGuardError("VM_STATE", `machine ${this.id} is frozen and cannot be saved`, {
        hint: `luminaguard resume ${this.id}  lets it go on`,
      });
    }
    return save(folder, signal);
  }

  /** it can be sent to another host while it runs, and not only saved first */
  get canDepart(): boolean {
    return this.#instance.depart !== undefined;
  }

  /**
   * Sends the machine to another host while it runs. Raises VM_STATE when it cannot be sent or is frozen.
   */
  async depart({ signal }: SignalOption = {}): Promise<Departure> {
    this.#requireMovable();
    const { depart } = this.#instance;
    if (depart === undefined) throw this.#cannotMove();
    return this.#leave(() => depart(signal));
  }

  /**
   * Saves the machine into an empty private folder, and it stands still from then on. Raises VM_STATE when
   * it cannot be saved or is frozen, HOST_LIMIT when there is no room.
   */
  async suspend(folder: string, { signal }: SignalOption = {}): Promise<Suspension> {
    this.#requireMovable();
    const { suspend } = this.#instance;
    if (suspend === undefined) throw this.#cannotMove();
    return this.#leave(() => suspend(folder, signal));
  }

  /** A save would let a machine go on that another host may have by then. */
  async #leave<Way extends Pick<Departure, "goOn">>(begin: () => Promise<Way>): Promise<Way> {
    await this.#saving;
    this.#requireHere();
    this.#isLeaving = true;
    try {
      const way = await begin();
      const goOn = async (): Promise<void> => {
        await way.goOn();
        this.#isLeaving = false;
      };
      return { ...way, goOn };
    } catch (error) {
      this.#isLeaving = false;
      throw error;
    }
  }

  #requireHere(): void {
    if (!this.#isLeaving) return;
    throw new LuminaGuardError("VM_STATE", `machine ${this.id} is on its way to another host`, {
      hint: "it goes on here when that fails, and is gone when it does not",
    });
  }

  #requireMovable(): void {
    if (!this.isFrozen) return;
    throw new LuminaGuardError("VM_STATE", `machine ${this.id} is frozen and cannot be moved`, {
      hint: `luminaguard resume ${this.id}  lets it go on`,
    });
  }

  /** What a host that it is sent to has to have alike. Raises VM_STATE when it cannot be sent. */
  async saveKey(): Promise<SaveKey> {
    const { saveKey } = this.#instance;
    if (saveKey === undefined) throw this.#cannotMove();
    return saveKey();
  }

  #cannotMove(): LuminaGuardError {
    const { backend, accelerator } = this.facts;
    const why = `${backend}/${accelerator} cannot move machine ${this.id}`;
    return new LuminaGuardError("VM_STATE", why, {
      hint: "luminaguard doctor  says which hypervisors this host has",
    });
  }

  /** Ends the machine; nothing of it is left on the host. */
  async stop(graceMs = 0): Promise<void> {
    this.#wire().close();
    await this.#vm.stop(graceMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** What was under way over a wire that a save of its machine ended. */
export function endedBySave(machine: string, cause: unknown): LuminaGuardError {
  const message = `machine ${machine} was saved meanwhile, which ends every connection to it`;
  return new LuminaGuardError("WIRE_RESET", message, {
    hint: "the machine goes on: run it again, or in the background of the machine",
    cause,
  });
}
