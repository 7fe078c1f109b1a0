/** A running machine into files, and what is needed to load them: memory is copied, devices are written. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { toHostError } from "../../../base/host-error.ts";
import type { Suspension } from "../../hypervisor.ts";
import { copyMemory } from "../../memory-file.ts";
import { describeHostProcessor } from "../../processor.ts";
import type { Accelerator } from "./qemu-args.ts";
import { freeze } from "./freeze.ts";
import type { QemuProcess } from "./qemu-process.ts";

/** the files of a saved machine */
export const savedFiles = { memory: "ram", devices: "state" } as const;

interface SaveOptions {
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock | undefined;
}

type Saving = Pick<QemuProcess, "control" | "statePath">;

/** The machine stands still within this call; gives the longest that it can have been, in `ms`. */
export async function saveMachine(
  vmm: Saving,
  memoryPath: string,
  folder: string,
  options: SaveOptions,
): Promise<number> {
  const { stoppedAt, state, goOn } = await stopInto(vmm, memoryPath, folder, options);
  await goOn();
  const stopMs = performance.now() - stoppedAt;
  await keepDevices(folder, state);
  return stopMs;
}

/** As `saveMachine`, and the machine stands still until it is told to go on. */
export async function suspendMachine(
  vmm: Saving,
  memoryPath: string,
  folder: string,
  options: SaveOptions,
): Promise<Omit<Suspension, "key">> {
  const { stoppedAt, state, goOn } = await stopInto(vmm, memoryPath, folder, options);
  try {
    await keepDevices(folder, state);
  } catch (error) {
    await goOn();
    throw error;
  }
  return { stoppedAt, goOn };
}

/**
 * Its memory is in the folder, and it stands still. It is not stopped first: one that was saved stopped
 * would stay so when it is loaded.
 */
async function stopInto(
  { control, statePath }: Saving,
  memoryPath: string,
  folder: string,
  { signal, clock }: SaveOptions,
): Promise<Omit<Suspension, "key"> & { readonly state: Buffer }> {
  signal?.throwIfAborted();
  const stoppedAt = performance.now();
  const goOn = async (): Promise<void> => {
    await control.execute("cont");
  };
  try {
    const state = await freeze(control, statePath, signal, clock);
    await copyMemory(memoryPath, join(folder, savedFiles.memory), { signal });
    return { stoppedAt, state, goOn };
  } catch (error) {
    await goOn();
    throw error;
  }
}

async function keepDevices(folder: string, state: Buffer): Promise<void> {
  try {
    await chmod(join(folder, savedFiles.memory), 0o600); // the machine's own was open to the machine's user
    await writeFile(join(folder, savedFiles.devices), state, { mode: 0o600 });
  } catch (error) {
    throw toHostError(error, "a machine's devices cannot be written");
  }
}

/**
 * The processor as a machine sees it. An emulated one is the same everywhere but for the host's counter,
 * by which it keeps time; another one is the host's own.
 */
export async function describeProcessor(
  accelerator: Accelerator,
  tscKhz: number | undefined,
): Promise<string> {
  if (accelerator === "tcg") {
    const rate = tscKhz === undefined ? "any rate" : `${Math.round(tscKhz / 10_000) * 10} MHz`;
    return `emulated, counting at ${rate}`;
  }
  return describeHostProcessor();
}
