/** A machine booted from nothing, beside plain QEMU that boots the same kernel with the least program. */
import type { BenchContext } from "../bench-context.ts";
import type { Floor } from "../floor/floor.ts";
import { interleave } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";

export const coldBoot: Measurement = {
  name: "cold-boot",
  group: "boot",
  unit: "ms",
  what: "cold boot to the first exec answered",
  floorIs: "raw QEMU, same kernel, trivial init: to its first byte",
  goal: { kind: "ratio-at-most", ratio: 1.3 },
  method:
    "A machine is booted behind its walls and runs `true`; the time ends with the exit code. The floor is QEMU without walls, with the same arguments, kernel and memory, and an initramfs that holds only a static C program and the modules of its port; the time ends with its first byte.",
  run: async (context, samples, signal) => {
    const { floor, notes } = await context.floor(signal);
    const raw = floor && (() => timeRawBoot(context, floor, signal));
    const series = await interleave(
      context,
      samples,
      signal,
      () => timeColdBoot(context, signal),
      raw,
    );
    return { ...series, notes };
  },
};

async function timeColdBoot(context: BenchContext, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  await using machine = await context.boot(signal);
  await machine.exec(["true"], { cwd: "/", signal });
  return performance.now() - startedAt;
}

/** From the start of QEMU to the first byte of what it boots, in `ms`. */
export async function timeRawBoot(
  context: BenchContext,
  floor: Floor,
  signal: AbortSignal,
): Promise<number> {
  await using machine = await floor.boot(context.memoryMib);
  await machine.ask("p", 1, signal);
  return performance.now() - machine.startedAt;
}
