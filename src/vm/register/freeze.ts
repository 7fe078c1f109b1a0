/**
 * Freezes machines, lets them go on, and takes them away, without asking their owners: a signal to the
 * hypervisor's processes first, then a mark by which the owner hears of it. An owner may hang, be stopped
 * itself, or start machines as fast as it can.
 */
import { setTimeout } from "node:timers/promises";
import { toHostError } from "../../base/host-error.ts";
import { signalProcess, stateOf } from "../../process/process-family.ts";
import { findMachines, isHeld, listMachines, processesOf } from "./machine-list.ts";
import { signalsStop, startedFor } from "./machine-list.ts";
import type { FoundMachine, ListedMachine, Which } from "./machine-list.ts";
import { clearMark, clearMarks, clearStop, setMark, setStop } from "./stop-marks.ts";

/** longest sweep in `ms`: a person's STOP holds within a second, the program's own start included */
const sweepMs = 700;
/** between two rounds of a sweep, in `ms`: what was signalled has stopped by then */
const roundMs = 2;
/** longest time from a machine's kill to its end, in `ms`: its memory is given back in that time */
const deathMs = 5_000;

/**
 * Stops the machines, and with `"all"` refuses new ones from this moment on. Gives back what there is
 * after at most 0.7 s: whatever is not `frozen` then was not stopped. Raises HOST_LIMIT, everything
 * else done, when an owner could not be told or new machines cannot be refused.
 */
export async function freezeMachines(
  runtimeDir: string,
  which: Which,
): Promise<readonly ListedMachine[]> {
  const failures: unknown[] = [];
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      failures.push(error);
    }
  };
  if (which === "all") attempt(() => setStop(runtimeDir));
  const told = new Set<string>();
  await repeat(sweepMs, () => {
    const machines = findMachines(runtimeDir, which);
    const isStill = machines.map((machine) => stop(runtimeDir, machine)).every(Boolean);
    for (const { id } of machines) {
      if (told.has(id)) continue;
      told.add(id);
      attempt(() => setMark(runtimeDir, id, "frozen"));
    }
    return isStill;
  });
  forgetEnded(runtimeDir, told);
  if (failures.length === 0) return listMachines(runtimeDir, which);
  throw toHostError(failures[0], "machines were stopped, but it cannot be written down");
}

/** Signals what still runs; whether everything had stopped before. */
function stop(runtimeDir: string, machine: FoundMachine): boolean {
  const processes = processesOf(runtimeDir, machine);
  const going = processes.filter((each) => ["running", "unknown"].includes(stateOf(each)));
  for (const each of going) signalProcess(each, "SIGSTOP");
  const { host, vmm } = machine.record;
  // its owner is about to start it, or to find the mark and give it up
  const isToCome = vmm === undefined && processes.length === 0 && stateOf(host) !== "gone";
  if (!signalsStop) return !isToCome && (going.length === 0 || isHeld(runtimeDir, machine.id));
  return !isToCome && !going.some((each) => each.startTicks !== null);
}

/** A machine that ended just then has nobody to take its mark away. */
function forgetEnded(runtimeDir: string, told: Iterable<string>): void {
  const there = new Set(findMachines(runtimeDir, "all").map(({ id }) => id));
  for (const id of told) if (!there.has(id)) clearMarks(runtimeDir, id);
}

/** Lets the machines go on, and with `"all"` new ones start again. Gives back what there is then. */
export async function resumeMachines(
  runtimeDir: string,
  which: Which,
): Promise<readonly ListedMachine[]> {
  if (which === "all") clearStop(runtimeDir);
  await repeat(sweepMs, () => {
    const machines = findMachines(runtimeDir, which);
    for (const machine of machines) {
      goOn(runtimeDir, machine);
      clearMark(runtimeDir, machine.id, "frozen");
    }
    return listMachines(runtimeDir, which).every(({ state }) => state !== "frozen");
  });
  return listMachines(runtimeDir, which);
}

function goOn(runtimeDir: string, machine: FoundMachine): void {
  const all = [...startedFor(runtimeDir, machine), ...processesOf(runtimeDir, machine)];
  for (const each of all) signalProcess(each, "SIGCONT");
}

/**
 * Takes the machines away, frozen or not, and with `"all"` lets new ones start again. Gives back those
 * that are still there after at most 5 s.
 */
export async function removeMachines(
  runtimeDir: string,
  which: Which,
): Promise<readonly ListedMachine[]> {
  const ids = listMachines(runtimeDir, which).map(({ id }) => id);
  // before the kill, so that whoever sees the machine end can say why
  for (const id of ids) setMark(runtimeDir, id, "removed");
  await repeat(deathMs, () => {
    for (const machine of findMachines(runtimeDir, ids)) {
      for (const each of processesOf(runtimeDir, machine)) signalProcess(each, "SIGKILL");
      // whoever built the walls may have been stopped with what is inside, and ends after it
      for (const each of startedFor(runtimeDir, machine)) signalProcess(each, "SIGCONT");
    }
    return remaining(runtimeDir, ids).length === 0;
  });
  forgetEnded(runtimeDir, ids);
  if (which === "all") clearStop(runtimeDir);
  return remaining(runtimeDir, ids);
}

/** One that is starting is given up by its owner, who finds the mark. */
function remaining(runtimeDir: string, ids: readonly string[]): readonly ListedMachine[] {
  return listMachines(runtimeDir, ids).filter(({ state }) => state !== "starting");
}

/** Goes round until nothing was left to do twice in a row, or the time is over. */
async function repeat(timeoutMs: number, round: () => boolean): Promise<void> {
  const endsAt = performance.now() + timeoutMs;
  for (let quiet = 0; performance.now() < endsAt;) {
    quiet = round() ? quiet + 1 : 0;
    if (quiet === 2) return;
    await setTimeout(roundMs);
  }
}
