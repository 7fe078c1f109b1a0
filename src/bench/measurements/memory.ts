/** What a clone that does nothing costs in memory: with nine others, and with 59. */
import type { BenchContext } from "../bench-context.ts";
import type { BareMachine } from "../floor/bare-machine.ts";
import type { Floor } from "../floor/floor.ts";
import type { Measurement } from "../measurement.ts";
import { readPss } from "../read-pss.ts";
import { renderNumber } from "../row.ts";
import { summarize } from "../statistics.ts";
import type { Machine } from "../../runtime/machine.ts";

const memoryMib = 128;
const together = 10;
const fleetSize = 60;
/** spawns under way at once: as many as the smallest host has processors */
const atOnce = 2;

export const idleMemory: Measurement = {
  name: "idle-memory",
  group: "memory",
  unit: "MiB",
  what: `memory of an idle clone, ${together} alive`,
  floorIs: "the same with a one-byte agent, without walls",
  goal: { kind: "at-most", value: 45 },
  method: `${together} clones of one template with ${memoryMib} MiB each have run \`true\`; a sample is the proportional set size (smaps_rollup) of one clone's QEMU process. Rounds of ${together} until there are enough samples.`,
  run: async (context, samples, signal) => {
    const { floor, notes } = await context.floor(signal);
    const values: number[] = [];
    const floors: number[] = [];
    while (values.length < samples) {
      await holding(
        together,
        () => spawnUsed(context, signal),
        async (machines) => void values.push(...(await readAllPss(machines))),
      );
      if (floor === undefined) continue;
      await holding(
        together,
        () => cloneUsed(floor, signal),
        async (machines) => void floors.push(...(await readAllPss(machines))),
      );
    }
    return { values, floors, notes };
  },
};

interface Fleet {
  /** proportional set size of each clone in `MiB`, by how many were alive */
  readonly pss: ReadonlyMap<number, readonly number[]>;
  /** how long each of all clones took to run `true` when all were asked at once, in `ms` */
  readonly answersMs: readonly number[];
}

export const fleetAnswers: Measurement = {
  name: "fleet-answers",
  group: "memory",
  unit: "machines",
  what: `clones of one template that answer together`,
  goal: { kind: "at-least", value: fleetSize },
  method: `${fleetSize} clones with ${memoryMib} MiB each are alive; all are asked to run \`true\` at the same time, once.`,
  run: async (context, _samples, signal) => {
    const { answersMs } = await fleet(context, signal);
    const all = summarize(answersMs);
    const notes = [
      `answers took ${renderNumber(all?.median)} ms (median) to ${renderNumber(all?.max)} ms`,
    ];
    return { values: [answersMs.length], floors: [], notes };
  },
};

export const fleetMemory: Measurement = {
  name: "fleet-memory",
  group: "memory",
  unit: "MiB",
  what: `memory of an idle clone, ${fleetSize} alive`,
  floorIs: `memory of each clone when ${together} were alive`,
  goal: { kind: "ratio-at-most", ratio: 1.05 },
  method: `As idle-memory, read when ${together}, ${2 * together}, … ${fleetSize} clones were alive; flat means that a clone costs no more among ${fleetSize} than among ${together}, within 5 %.`,
  run: async (context, _samples, signal) => {
    const { pss } = await fleet(context, signal);
    const notes = [...pss].map(([alive, values]) => {
      return `${alive} alive: ${renderNumber(summarize(values)?.median)} MiB each`;
    });
    return { values: pss.get(fleetSize) ?? [], floors: pss.get(together) ?? [], notes };
  },
};

/** One fleet for both rows: its making takes longer than everything that is read from it. */
function fleet(context: BenchContext, signal: AbortSignal): Promise<Fleet> {
  return context.once("fleet", () => measureFleet(context, signal));
}

async function measureFleet(context: BenchContext, signal: AbortSignal): Promise<Fleet> {
  const pss = new Map<number, readonly number[]>();
  const answersMs: number[] = [];
  const make = (): Promise<Machine> => spawnUsed(context, signal);
  const onTen = async (machines: readonly Machine[]): Promise<void> => {
    pss.set(machines.length, await readAllPss(machines));
  };
  await holding(
    fleetSize,
    make,
    async (machines) => {
      const startedAt = performance.now();
      await Promise.all(
        machines.map(async (machine) => {
          const { exitCode } = await machine.exec(["true"], { cwd: "/", signal });
          if (exitCode === 0) answersMs.push(performance.now() - startedAt);
        }),
      );
    },
    onTen,
  );
  return { pss, answersMs };
}

async function spawnUsed(context: BenchContext, signal: AbortSignal): Promise<Machine> {
  const machine = await context.spawn(signal, memoryMib);
  try {
    await machine.exec(["true"], { cwd: "/", signal });
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}

async function cloneUsed(floor: Floor, signal: AbortSignal): Promise<BareMachine> {
  const machine = await floor.clone(memoryMib, signal);
  try {
    await machine.echo(signal);
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}

interface Held {
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Makes `count` machines, a few at once, has something done with all of them, and ends them. */
async function holding<T extends Held>(
  count: number,
  make: () => Promise<T>,
  withAll: (machines: readonly T[]) => Promise<void>,
  onTen?: (machines: readonly T[]) => Promise<void>,
): Promise<void> {
  const machines: T[] = [];
  try {
    while (machines.length < count) {
      const made = await Promise.allSettled(Array.from({ length: atOnce }, make));
      for (const one of made) if (one.status === "fulfilled") machines.push(one.value);
      for (const one of made) if (one.status === "rejected") throw one.reason;
      if (machines.length % together === 0) await onTen?.(machines);
    }
    await withAll(machines);
  } finally {
    await Promise.all(machines.map((machine) => machine.stop()));
  }
}

function readAllPss(machines: readonly Held[]): Promise<readonly number[]> {
  return Promise.all(machines.map(({ pid }) => readPss(pid)));
}
