/** A machine cloned from nothing: a new QEMU process each time, to the output of its first command. */
import type { BenchContext } from "../bench-context.ts";
import { firstOutput } from "../first-output.ts";
import type { Floor } from "../floor/floor.ts";
import { interleave } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";
import { timeRawBoot } from "./cold-boot.ts";

const what = "clone from nothing to the first exec's output";
const method =
  "The template exists. A new QEMU process is started behind its walls, restored, given its time, entropy and name, and runs `echo ok`; the time ends with the output's first byte.";

export const cloneOfColdBoot: Measurement = {
  name: "clone-of-boot",
  group: "clone",
  unit: "ms",
  what,
  floorIs: "raw cold boot, as in cold-boot",
  goal: { kind: "ratio-at-most", ratio: 0.1 },
  knownReason:
    "Under emulation nearly all of it is the translation of code that a new process runs for the first time: the kernel's own path of a first exec, which the one-byte agent of clone pays as well, and then the guest agent's.",
  method: `${method} The floor is the raw cold boot of cold-boot, measured again in turn.`,
  run: async (context, samples, signal) => {
    const { floor, notes } = await context.floor(signal);
    const raw = floor && (() => timeRawBoot(context, floor, signal));
    const series = await interleave(
      context,
      samples,
      signal,
      () => timeClone(context, signal),
      raw,
    );
    return { ...series, notes };
  },
};

export const clone: Measurement = {
  name: "clone",
  group: "clone",
  unit: "ms",
  what,
  floorIs: "the same restore driven by a one-byte agent",
  goal: { kind: "ratio-at-most", ratio: 1.5 },
  knownReason:
    "Above the floor are the walls, and the guest agent's first request and resume, whose code is translated anew in each clone.",
  method: `${method} The floor is QEMU without walls, with the same arguments and memory, restored by the same code from a machine that had run one echo; one byte asks its agent (bench/floor-agent.c) for \`echo ok\`.`,
  run: async (context, samples, signal) => {
    const { floor, notes } = await context.floor(signal);
    const bare = floor && (() => timeBareClone(context, floor, signal));
    const series = await interleave(
      context,
      samples,
      signal,
      () => timeClone(context, signal),
      bare,
    );
    return { ...series, notes };
  },
};

async function timeClone(context: BenchContext, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  await using machine = await context.spawn(signal);
  return (await firstOutput(machine, signal)) - startedAt;
}

async function timeBareClone(
  context: BenchContext,
  floor: Floor,
  signal: AbortSignal,
): Promise<number> {
  await using machine = await floor.clone(context.memoryMib, signal);
  await machine.echo(signal);
  return performance.now() - machine.startedAt;
}
