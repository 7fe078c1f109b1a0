/** A large file into a machine and out of it, beside the same bytes on the bare wire. */
import type { BenchContext } from "../bench-context.ts";
import type { BareMachine } from "../floor/bare-machine.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement, Series } from "../measurement.ts";
import { renderNumber } from "../row.ts";
import { summarize } from "../statistics.ts";
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
    "The floor's program only counts the bytes; one that keeps them in a file by read and write gets what the method's last line says. The agent maps the file, so that each byte is copied once, but takes it in frames of 16 KiB, each with its head, and the host's side of HTTP/2 has its share of the time.",
} as const;
const sameBytes = `The floor is the same ${fileBytes / mebibyte} MiB on the same kind of port, with a C program at its other end that only counts.`;

export const filesIn: Measurement = {
  ...common,
  name: "files-in",
  what: "a file written into the machine",
  method: `${fileBytes / mebibyte} MiB from memory to a file in the machine's /tmp, until the machine says it is written. ${sameBytes}`,
  run: (context, samples, signal) =>
    withBoth(context, signal, async (machine, bare) => {
      const data = Buffer.alloc(fileBytes, "luminaguard");
      const order = Buffer.concat([orderOf("s"), data]);
      const series = await interleave(
        context,
        samples,
        signal,
        () => speed(() => machine.files.write(path, data, { signal })),
        bare && (() => speed(() => bare.ask(order, 1, signal))),
      );
      const kept = Buffer.concat([orderOf("k"), data]);
      return withKept(
        series,
        bare && {
          kept: () => speed(() => bare.ask(kept, 1, signal)),
          floor: () => speed(() => bare.ask(order, 1, signal)),
        },
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
      const data = Buffer.alloc(fileBytes, "luminaguard");
      await machine.files.write(path, data, { signal });
      const series = await interleave(
        context,
        samples,
        signal,
        () => speed(() => machine.files.read(path, { bytesMax, signal })),
        bare && (() => speed(() => bare.ask(orderOf("b"), fileBytes, signal))),
      );
      await bare?.ask(Buffer.concat([orderOf("k"), data]), 1, signal);
      const kept = orderOf("f");
      return withKept(
        series,
        bare && {
          kept: () => speed(() => bare.ask(kept, fileBytes, signal)),
          floor: () => speed(() => bare.ask(orderOf("b"), fileBytes, signal)),
        },
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
    const series = await measure(machine, bare);
    return { ...series, notes: [...notes, ...(series.notes ?? [])] };
  } finally {
    await bare?.stop();
  }
}

/** times that the kept bytes are moved: a fact beside the numbers, not one of them */
const keptSamples = 5;

interface Beside {
  readonly kept: () => Promise<number>;
  readonly floor: () => Promise<number>;
}

/** Says what a program reaches that has the bytes in a file, as a machine has; in turn with the floor. */
async function withKept(series: Series, beside?: Beside): Promise<Series> {
  if (beside === undefined) return series;
  const [speeds, floors]: [number[], number[]] = [[], []];
  for (let round = 0; round < keptSamples; round += 1) {
    speeds.push(await beside.kept());
    floors.push(await beside.floor());
  }
  const [kept, floor] = [summarize(speeds, true), summarize(floors, true)];
  if (kept === undefined || floor === undefined) return series;
  const ratio = renderNumber(kept.median / floor.median);
  const note = `a C program that has the bytes in a file, by read and write: ${renderNumber(kept.median)} MB/s, ${ratio} × floor (medians of ${keptSamples}, in turn)`;
  return { ...series, notes: [note] };
}

async function speed(move: () => Promise<unknown>): Promise<number> {
  return megabytes / ((await timed(move)) / 1e3);
}

function orderOf(way: "s" | "b" | "k" | "f"): Buffer {
  const order = Buffer.alloc(9, way);
  order.writeBigUInt64LE(BigInt(fileBytes), 1);
  return order;
}
