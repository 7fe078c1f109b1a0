/**
 * The machines of a runtime folder as the kernel and their records tell of them, whatever their owners
 * do: nobody is asked. Everything is read at once, so that a stop waits for nothing.
 */
import { join } from "node:path";
import { readCommand, readFamily, stateOf } from "../../process/process-family.ts";
import type { ProcessIdentity } from "../../process/process-identity.ts";
import { listRecorded, readRecord } from "./machine-record.ts";
import type { MachineRecord } from "./machine-record.ts";
import { hasMark } from "./stop-marks.ts";

/** `starting`: its owner has not said yet which process it is */
export type MachineState = "starting" | "running" | "frozen";

export interface ListedMachine {
  readonly id: string;
  readonly state: MachineState;
  /** the process that owns it */
  readonly ownerPid: number;
  /** the hypervisor process; null while there is none */
  readonly vmmPid: number | null;
  /** when it was made, ISO 8601; null when nobody wrote it down */
  readonly since: string | null;
  /** it has a network card */
  readonly hasNetwork: boolean;
  /** the owner's command line; null when it cannot be read. Hostile text. */
  readonly command: string | null;
}

export interface FoundMachine {
  readonly id: string;
  readonly record: MachineRecord;
}

/** every machine, or those with these ids */
export type Which = "all" | readonly string[];

/** longest command line that is told, in characters */
const commandLengthMax = 4096;

export function findMachines(runtimeDir: string, which: Which): readonly FoundMachine[] {
  const ids = listRecorded(runtimeDir).filter((id) => which === "all" || which.includes(id));
  return ids.flatMap((id) => {
    const record = readRecord(runtimeDir, id);
    return record === undefined ? [] : [{ id, record }];
  });
}

/** Those that are there: what only waits to be cleared up is not told. */
export function listMachines(runtimeDir: string, which: Which = "all"): readonly ListedMachine[] {
  return findMachines(runtimeDir, which).flatMap((machine): ListedMachine[] => {
    const { id, record } = machine;
    const processes = processesOf(runtimeDir, machine);
    const state = judge(runtimeDir, machine, processes);
    if (state === undefined) return [];
    const command = readCommand(record.host.pid).join(" ").slice(0, commandLengthMax);
    return [
      {
        id,
        state,
        ownerPid: record.host.pid,
        vmmPid: processes.at(-1)?.pid ?? null,
        since: record.since ?? null,
        hasNetwork: record.hasNetwork === true,
        command: command === "" ? null : command,
      },
    ];
  });
}

/** The hypervisor with its walls; before its owner wrote it down, what the owner started for it. */
export function processesOf(runtimeDir: string, machine: FoundMachine): readonly ProcessIdentity[] {
  const { vmm } = machine.record;
  if (vmm === null) return [];
  return vmm === undefined ? startedFor(runtimeDir, machine) : readFamily(vmm);
}

/** What the owner started for this machine: its folder is in the command line. */
export function startedFor(
  runtimeDir: string,
  { id, record }: FoundMachine,
): readonly ProcessIdentity[] {
  const folder = join(runtimeDir, id);
  return readFamily(record.host)
    .slice(1)
    .filter(({ pid }) => readCommand(pid).some((word) => word.includes(folder)));
}

/** Whether a process can be stopped by a signal here. Where not, its owner is asked, and says so. */
export const signalsStop: boolean = process.platform !== "win32";

export function isHeld(runtimeDir: string, id: string): boolean {
  return hasMark(runtimeDir, id, "held");
}

function judge(
  runtimeDir: string,
  { id, record }: FoundMachine,
  processes: readonly ProcessIdentity[],
): MachineState | undefined {
  const isMarked = hasMark(runtimeDir, id, "frozen");
  const marked = isMarked && (signalsStop || isHeld(runtimeDir, id)) ? "frozen" : "running";
  if (record.vmm === null) return stateOf(record.host) === "gone" ? undefined : marked;
  const states = processes.map(stateOf).filter((state) => state !== "gone");
  if (states.length === 0) {
    const isStarting = record.vmm === undefined && stateOf(record.host) !== "gone";
    return isStarting ? "starting" : undefined;
  }
  if (states.every((state) => state === "stopped")) return "frozen";
  if (states.includes("unknown")) return marked;
  return record.vmm === undefined ? "starting" : "running";
}
