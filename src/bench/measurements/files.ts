/** A large file into a machine and out of it, beside the same bytes on the bare wire. */
import type { BenchContext } from "../bench-context.ts";
import type { BareMachine } from "../floor/bare-machine.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement, Series } from "../measurement.ts";
import type { Machine } from "../../runtime/machine.ts";

const mebibyte = 1024 ** 2;
const fileBytes = 64 * mebibyte;
const megabytes = fileBytes / 1e6;
const path = "/tmp/bench";
const bytesMax = fileBytes;

const common = {
  group: "files",
  unit: "MB/s",
  floorIs: "raw virtio-serial to a one-byte agent",
  goal: { kind: "ratio-at-least", ratio: 0.7 },
  knownReason:
    "The machine's processor is the limit, not the host: the port hands over 4 KiB at a time, and framing it and moving it to or from a file system costs several times what a program needs that only counts.",
} as const;
const sameBytes = `The floor is the same ${fileBytes / mebibyte} MiB on the same kind of port, with a C program at its other end that only counts.`;

export const filesIn: Measurement = {
  ...common,
  name: "files-in",
  what: "a file written into the machine",
  method: `${fileBytes / mebibyte} MiB from memory to a file in the machine's /tmp, until the machine says it is written. ${sameBytes}`,
  run: (context, samples, signal) =>
    withBoth(context, signal, (machine, bare) => {
      const data = Buffer.alloc(fileBytes, "luminaguard");
      const order = Buffer.concat([orderOf("s"), data]);
      return interleave(
        context,
        samples,
        signal,
        () => speed(() => machine.files.write(path, data, { signal })),
        bare && (() => speed(() => bare.ask(order, 1, signal))),
      );
    }),
};

export const filesOut: Measurement = {
  ...common,
  name: "files-out",
  what: "a file read out of the machine",
  method: `${fileBytes / mebibyte} MiB from a file in the machine's /tmp to memory. ${sameBytes}`,
  run: (context, samples, signal) =>
    withBoth(context, signal, async (machine, bare) => {
      await machine.files.write(path, Buffer.alloc(fileBytes, "luminaguard"), { signal });
      return interleave(
        context,
        samples,
        signal,
        () => speed(() => machine.files.read(path, { bytesMax, signal })),
        bare && (() => speed(() => bare.ask(orderOf("b"), fileBytes, signal))),
      );
    }),
};

async function withBoth(
  context: BenchContext,
  signal: AbortSignal,
  measure: (machine: Machine, bare: BareMachine | undefined) => Promise<Series>,
): Promise<Series> {
  const { floor, notes } = await context.floor(signal);
  await using machine = await context.spawn(signal);
  const bare = await floor?.clone(context.memoryMib, signal);
  try {
    return { ...(await measure(machine, bare)), notes };
  } finally {
    await bare?.stop();
  }
}

async function speed(move: () => Promise<unknown>): Promise<number> {
  return megabytes / ((await timed(move)) / 1e3);
}

function orderOf(way: "s" | "b"): Buffer {
  const order = Buffer.alloc(9, way);
  order.writeBigUInt64LE(BigInt(fileBytes), 1);
  return order;
}
