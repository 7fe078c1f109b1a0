/** A machine onto a link or into a file: while it runs, or saved first. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { toHostError } from "../../base/host-error.ts";
import type { Departure } from "../../vm/hypervisor.ts";
import type { FrameLink } from "../../vm/migration/frame-link.ts";
import { sendFiles } from "../../vm/migration/machine-files.ts";
import type { FrameSink } from "../../vm/migration/machine-files.ts";
import type { Machine } from "../machine.ts";

export type LeavingMachine = Pick<Machine, "canDepart" | "depart" | "suspend" | "saveKey">;

/** A machine that left, or is leaving, as far as it can be called back. */
export type Standing = Pick<Departure, "goOn">;

export interface ShipParts {
  /** for as long as the machine runs; what it is saved into is made there */
  readonly memoryFolder: string;
  readonly machine: LeavingMachine;
  readonly onProgress: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Shipped {
  readonly bytes: number;
  /** on the clock of `performance.now()` */
  readonly stoppedAt: number;
}

/** It runs until nearly all of it is there. */
export async function shipStream(
  link: FrameLink,
  { machine, signal, onProgress }: ShipParts,
  onStanding: (standing: Standing) => void,
): Promise<Shipped> {
  const departure = await machine.depart({ signal });
  onStanding(departure);
  const bytes = await link.sendBytes(departure.bytes, onProgress);
  return { bytes, stoppedAt: await departure.stopped };
}

/** It stands still from the beginning. */
export async function shipFiles(
  sink: FrameSink,
  { machine, memoryFolder, signal, onProgress }: ShipParts,
  onStanding: (standing: Standing) => void,
): Promise<Shipped> {
  const folder = join(memoryFolder, "leaving");
  try {
    await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
      throw toHostError(error, "the machine cannot be saved");
    });
    const suspension = await machine.suspend(folder, { signal });
    onStanding(suspension);
    const bytes = await sendFiles(sink, folder, onProgress);
    return { bytes, stoppedAt: suspension.stoppedAt };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
