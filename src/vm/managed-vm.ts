/**
 * The handle everyone holds on a machine: boots once, stops once, grace first and then kill, and
 * ends with its scope (`await using`). What the table in lifecycle.ts says, this does.
 */
import { withDeadline } from "../base/deadline.ts";
import { LuminaGuardError } from "../errors.ts";
import { arriveSaved } from "./arrive-saved.ts";
import type {
  ArrivingMachine,
  Hypervisor,
  SavedMachine,
  SpawnConfig,
  VmInstance,
} from "./hypervisor.ts";
import { transition } from "./lifecycle.ts";
import type { VmInput, VmState } from "./lifecycle.ts";

/** time a machine gets to end by itself, in `ms` */
export const defaultGraceMs = 2_000;

export class ManagedVm implements AsyncDisposable {
  readonly #hypervisor: Hypervisor;
  readonly #config: SpawnConfig;
  readonly #saved: SavedMachine | undefined;
  readonly #arriving: ArrivingMachine | undefined;
  readonly #stopRequested = new AbortController();
  #state: VmState = "created";
  #booting: Promise<VmInstance> | undefined;
  #stopping: Promise<void> | undefined;
  #instance: VmInstance | undefined;

  /**
   * @param saved what the machine goes on from
   * @param arriving what it comes from; without either a new one is spawned
   */
  constructor(
    hypervisor: Hypervisor,
    config: SpawnConfig,
    saved?: SavedMachine,
    arriving?: ArrivingMachine,
  ) {
    this.#hypervisor = hypervisor;
    this.#config = config;
    this.#saved = saved;
    this.#arriving = arriving;
  }

  get state(): VmState {
    return this.#state;
  }

  /** The machine, booted by the first call; later calls get the same one. Raises VM_STATE after a stop. */
  boot(signal?: AbortSignal): Promise<VmInstance> {
    this.#take("boot");
    this.#booting ??= this.#spawn(signal);
    return this.#booting;
  }

  /** Ends the machine: `graceMs` to end by itself, then it is killed. Asking again waits for the same end. */
  stop(graceMs: number = defaultGraceMs): Promise<void> {
    this.#take("stop");
    this.#stopping ??= this.#end(graceMs);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop(0);
  }

  async #spawn(signal: AbortSignal | undefined): Promise<VmInstance> {
    const stopped = this.#stopRequested.signal;
    try {
      const either = signal === undefined ? stopped : AbortSignal.any([signal, stopped]);
      const instance = await this.#make(either);
      this.#instance = instance;
      this.#take("booted");
      void instance.exited.then(() => this.#take("gone"));
      return instance;
    } catch (error) {
      this.#take("gone");
      throw error;
    }
  }

  #make(signal: AbortSignal): Promise<VmInstance> {
    if (this.#arriving !== undefined) return this.#arrive(this.#arriving, signal);
    if (this.#saved === undefined) return this.#hypervisor.spawn(this.#config, signal);
    if (this.#hypervisor.restore !== undefined) {
      return this.#hypervisor.restore(this.#saved, this.#config, signal);
    }
    const { name, accelerator } = this.#hypervisor;
    throw new LuminaGuardError("SPEC_REFUSED", `${name}/${accelerator} cannot restore a machine`, {
      hint: "start a new machine: luminaguard vm start",
    });
  }

  #arrive(arriving: ArrivingMachine, signal: AbortSignal): Promise<VmInstance> {
    if (arriving.form === "files") {
      return arriveSaved(this.#hypervisor, arriving, this.#config, signal);
    }
    if (this.#hypervisor.arrive !== undefined) {
      return this.#hypervisor.arrive(arriving, this.#config, signal);
    }
    const { name, accelerator } = this.#hypervisor;
    throw new LuminaGuardError(
      "SPEC_REFUSED",
      `${name}/${accelerator} cannot take a machine from another host`,
      { hint: "luminaguard doctor  says which hypervisors this host has" },
    );
  }

  async #end(graceMs: number): Promise<void> {
    this.#stopRequested.abort(
      new LuminaGuardError("CANCELLED", "the machine was stopped while it booted"),
    );
    await this.#booting?.catch(() => undefined); // whoever booted it has the reason
    const instance = this.#instance;
    if (instance === undefined) return;
    if (graceMs > 0) {
      const stop = withDeadline(instance.stop(), {
        timeoutMs: graceMs,
        what: "stopping the machine",
      });
      const ended = await stop.then(
        () => true,
        () => false, // late, or it cannot be asked: it is taken
      );
      if (ended) return;
    }
    await instance.kill();
  }

  #take(input: VmInput): void {
    const next = transition(this.#state, input);
    if (next.kind === "move") this.#state = next.to;
    if (next.kind === "deny") {
      throw new LuminaGuardError("VM_STATE", `the machine cannot ${input}: ${next.reason}`, {
        hint: "spawn a new machine",
        details: { state: this.#state, input },
      });
    }
  }
}
