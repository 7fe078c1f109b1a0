/**
 * Marks in the runtime folder by which a machine's owner hears what a person did to it. A mark is a file
 * whose being there is all it says: it is made and taken away in one step, and none is ever half there.
 */
import { existsSync, mkdirSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LuminaGuardError } from "../../errors.ts";

/**
 * What was done to one machine. `held`: its owner says that it stopped it, where no signal can
 * (Windows); until then one that is to be frozen runs.
 */
export type MachineMark = "frozen" | "held" | "removed";

const marks: readonly MachineMark[] = ["frozen", "held", "removed"];

function markPath(runtimeDir: string, id: string, mark: MachineMark): string {
  return join(runtimeDir, `${id}.${mark}`);
}

export function setMark(runtimeDir: string, id: string, mark: MachineMark): void {
  writeFileSync(markPath(runtimeDir, id, mark), "", { mode: 0o600 });
}

export function clearMark(runtimeDir: string, id: string, mark: MachineMark): void {
  rmSync(markPath(runtimeDir, id, mark), { force: true });
}

/** Takes away what was said of a machine that has ended. */
export function clearMarks(runtimeDir: string, id: string): void {
  for (const mark of marks) clearMark(runtimeDir, id, mark);
}

export function hasMark(runtimeDir: string, id: string, mark: MachineMark): boolean {
  return existsSync(markPath(runtimeDir, id, mark));
}

/** Calls back when the machine was frozen and when it goes on. Returns what ends the watch. */
export function watchFrozen(
  runtimeDir: string,
  id: string,
  onChange: (isFrozen: boolean) => void,
): () => void {
  let wasFrozen = false;
  const look = (): void => {
    const isFrozen = hasMark(runtimeDir, id, "frozen");
    if (isFrozen === wasFrozen) return;
    wasFrozen = isFrozen;
    onChange(isFrozen);
  };
  try {
    const watcher = watch(runtimeDir, { persistent: false }, look);
    watcher.on("error", () => undefined); // the folder went away, and the machine with it
    look(); // what was done before the watch began
    return () => watcher.close();
  } catch {
    // out of watches: the machine is frozen all the same, its owner is only not told
    return () => undefined;
  }
}

/** A person stopped everything: no machine starts until that is taken back. */
const stopName = "STOP";

export function setStop(runtimeDir: string): void {
  mkdirSync(runtimeDir, { recursive: true, mode: 0o700 });
  writeFileSync(join(runtimeDir, stopName), "", { mode: 0o600 });
}

export function clearStop(runtimeDir: string): void {
  rmSync(join(runtimeDir, stopName), { force: true });
}

export function isStopped(runtimeDir: string): boolean {
  return existsSync(join(runtimeDir, stopName));
}

/** Raises FROZEN while everything is stopped. */
export function refuseWhileStopped(runtimeDir: string): void {
  if (!isStopped(runtimeDir)) return;
  throw new LuminaGuardError("FROZEN", "every machine was stopped by luminaguard freeze --all", {
    hint: "luminaguard resume --all  lets machines run again",
  });
}

/** Raises VM_GONE when the machine was removed while it was made. */
export function refuseRemoved(runtimeDir: string, id: string): void {
  if (hasMark(runtimeDir, id, "removed")) throw new LuminaGuardError("VM_GONE", removedReason);
}

/** why a machine ended that a person removed */
export const removedReason = "removed by luminaguard rm";
