/**
 * The machines of this user, whoever owns them: seen, frozen, let go on, taken away. It needs nothing but
 * the runtime folder, so that a STOP waits for no start-up and for nobody's lock.
 */
import { renderDidYouMean } from "../base/nearest.ts";
import { loadConfig } from "../config/config.ts";
import { LuminaGuardError } from "../errors.ts";
import { freezeMachines, removeMachines, resumeMachines } from "../vm/register/freeze.ts";
import { listMachines } from "../vm/register/machine-list.ts";
import type { ListedMachine } from "../vm/register/machine-list.ts";
import { isStopped } from "../vm/register/stop-marks.ts";

export type { ListedMachine, MachineState } from "../vm/register/machine-list.ts";

/** What there is after a word to machines was obeyed, as far as it could be. */
export interface MachineReport {
  readonly machines: readonly ListedMachine[];
  readonly durationMs: number;
}

export class MachineDesk {
  readonly #runtimeDir: string;

  constructor(runtimeDir: string) {
    this.#runtimeDir = runtimeDir;
  }

  list(): readonly ListedMachine[] {
    return listMachines(this.#runtimeDir);
  }

  /** new machines are refused with FROZEN */
  get isStopped(): boolean {
    return isStopped(this.#runtimeDir);
  }

  /**
   * Stops every machine within a second and refuses new ones. A machine that is not `frozen` in the
   * report was not stopped; one that is `starting` is given up by its owner. Raises HOST_LIMIT when all
   * of it was done but could not be written down.
   */
  freezeAll(): Promise<MachineReport> {
    return report(freezeMachines(this.#runtimeDir, "all"));
  }

  /** Stops these machines. Raises MACHINE_NOT_FOUND, the others being stopped. */
  freeze(ids: readonly string[]): Promise<MachineReport> {
    return this.#known(ids, freezeMachines);
  }

  resumeAll(): Promise<MachineReport> {
    return report(resumeMachines(this.#runtimeDir, "all"));
  }

  /** Lets these machines go on. Raises MACHINE_NOT_FOUND, the others going on. */
  resume(ids: readonly string[]): Promise<MachineReport> {
    return this.#known(ids, resumeMachines);
  }

  /** Ends every machine, frozen or not. The report has those that are still there. */
  removeAll(): Promise<MachineReport> {
    return report(removeMachines(this.#runtimeDir, "all"));
  }

  /** Ends these machines. Raises MACHINE_NOT_FOUND, the others being gone. */
  remove(ids: readonly string[]): Promise<MachineReport> {
    return this.#known(ids, removeMachines);
  }

  async #known(
    ids: readonly string[],
    obey: (runtimeDir: string, ids: readonly string[]) => Promise<readonly ListedMachine[]>,
  ): Promise<MachineReport> {
    const there = this.list().map(({ id }) => id);
    const done = await report(obey(this.#runtimeDir, ids));
    const unknown = ids.find((id) => !there.includes(id));
    if (unknown === undefined) return done;
    throw new LuminaGuardError("MACHINE_NOT_FOUND", `there is no machine ${unknown}`, {
      hint: renderDidYouMean(unknown, there) ?? "luminaguard ps  lists the machines",
    });
  }
}

/** The desk of this user's runtime folder. Raises CONFIG_INVALID. */
export function createMachineDesk(): MachineDesk {
  return new MachineDesk(loadConfig().config.runtimeDir);
}

async function report(work: Promise<readonly ListedMachine[]>): Promise<MachineReport> {
  const startedAt = performance.now();
  const machines = await work;
  return { machines, durationMs: performance.now() - startedAt };
}
