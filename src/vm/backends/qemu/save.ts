/** A running machine into files, and what is needed to load them: memory is copied, devices are written. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { toHostError } from "../../../base/host-error.ts";
import { copyMemory } from "../../memory-file.ts";
import { describeHostProcessor } from "../../processor.ts";
import type { Accelerator } from "./qemu-args.ts";
import { freeze } from "./freeze.ts";
import type { QemuProcess } from "./qemu-process.ts";

/** the files of a saved machine */
export const savedFiles = { memory: "ram", devices: "state" } as const;

/**
 * The machine stands still within this call; gives the longest that it can have been, in `ms`. It is not
 * stopped first: one that was saved stopped would stay so when it is loaded.
 */
export async function saveMachine(
  vmm: Pick<QemuProcess, "control" | "statePath">,
  memoryPath: string,
  folder: string,
  {
    signal,
    clock,
  }: { readonly signal?: AbortSignal | undefined; readonly clock: Clock | undefined },
): Promise<number> {
  signal?.throwIfAborted();
  const stoppedAt = performance.now();
  let state: Buffer;
  try {
    state = await freeze(vmm.control, vmm.statePath, signal, clock);
    await copyMemory(memoryPath, join(folder, savedFiles.memory), signal);
  } finally {
    await vmm.control.execute("cont");
  }
  const stopMs = performance.now() - stoppedAt;
  try {
    await chmod(join(folder, savedFiles.memory), 0o600); // the machine's own was open to the machine's user
    await writeFile(join(folder, savedFiles.devices), state, { mode: 0o600 });
  } catch (error) {
    throw toHostError(error, "a machine's devices cannot be written");
  }
  return stopMs;
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
