/** Machines with memory of their own: saved while they run, forked, and alive together. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "../../runtime/machine.ts";
import type { SavedMachine } from "../../vm/hypervisor.ts";
import { copyMemory } from "../../vm/memory-file.ts";
import type { BenchContext } from "../bench-context.ts";
import { firstOutput } from "../first-output.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement, Series } from "../measurement.ts";
import { readPss } from "../read-pss.ts";

const memoryMib = 128;
/** what a save may take beside the copy of the memory, in `ms` */
const allowanceMs = 30;
const together = 20;

export const snapshotStop: Measurement = {
  name: "snapshot-stop",
  group: "vm",
  unit: "ms",
  what: "a running machine is saved: how long it stands still",
  floorIs: `copying the same memory file, and ${allowanceMs} ms`,
  goal: { kind: "ratio-at-most", ratio: 1 },
  method: `A machine with ${memoryMib} MiB of its own has run \`true\`. It is saved; counted is from the request that stops it until it was told to go on. The floor is \`cp --sparse=auto\` of its memory file, plus ${allowanceMs} ms.`,
  run: async (context, samples, signal) => {
    await using bench = await Bench.open(context, signal);
    return await interleave(
      context,
      samples,
      signal,
      () => bench.within(async (folder) => (await bench.machine.save(folder, { signal })).stopMs),
      () =>
        bench.within(async (folder) => {
          const [from, to] = [join(bench.memoryFolder, "ram"), join(folder, "copy")];
          return allowanceMs + (await timed(() => copyMemory(from, to, { signal })));
        }),
    );
  },
};

export const checkpoint: Measurement = {
  name: "checkpoint",
  group: "vm",
  unit: "ms",
  what: "a checkpoint before an effect: what it adds before the card",
  goal: { kind: "at-most", value: 40 },
  method: `As snapshot-stop, with making the folder and writing the devices: all that is waited for before the card is drawn. Hashing goes on while the card is read.`,
  run: async (context, samples, signal) => {
    await using bench = await Bench.open(context, signal);
    return await interleave(context, samples, signal, () => bench.timeCheckpoint(signal));
  },
};

export const fork: Measurement = {
  name: "fork",
  group: "vm",
  unit: "ms",
  what: "fork from nothing to the first exec's output",
  floorIs: "a clone of a template, as in clone, with as much memory",
  goal: { kind: "ratio-at-most", ratio: 1.2 },
  knownReason:
    "A fork has a copy of the memory, which is made while its hypervisor starts, and every page it touches is one of a file; a clone maps its template's.",
  method: `The snapshot exists. Its memory is copied, a new QEMU process is started behind its walls, restored, given its time, entropy and name, and runs \`echo ok\`; the time ends with the output's first byte.`,
  run: async (context, samples, signal) => {
    await using bench = await Bench.open(context, signal);
    const saved = await bench.save(signal);
    return await interleave(
      context,
      samples,
      signal,
      () => bench.within((folder) => timeFirst(() => bench.fork(saved, folder, signal), signal)),
      () => timeFirst(() => context.spawn(signal, memoryMib), signal),
    );
  },
};

export const forksMemory: Measurement = {
  name: "forks-memory",
  group: "vm",
  unit: "MiB",
  what: `memory of an idle fork, ${together} of one machine alive`,
  floorIs: "an idle clone of a template, as many alive",
  goal: { kind: "ratio-at-most", ratio: 1.5 },
  knownReason:
    "Forks have a memory file each, so that each can be saved and forked again: what they read is not shared.",
  method: `${together} forks of one running machine with ${memoryMib} MiB have run \`true\`; a sample is the proportional set size of one fork's QEMU process. The files themselves are on the disk.`,
  run: async (context, _samples, signal): Promise<Series> => {
    await using bench = await Bench.open(context, signal);
    const saved = await bench.save(signal);
    const fork = async (): Promise<Machine> => bench.fork(saved, await bench.folder(), signal);
    const values = await pssOf(fork, signal);
    const floors = await pssOf(() => context.spawn(signal, memoryMib), signal);
    const notes = [`${values.length} forks answered together`];
    return { values, floors, notes };
  },
};

async function timeFirst(make: () => Promise<Machine>, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  await using machine = await make();
  return (await firstOutput(machine, signal)) - startedAt;
}

async function pssOf(make: () => Promise<Machine>, signal: AbortSignal): Promise<number[]> {
  const machines: Machine[] = [];
  try {
    while (machines.length < together) machines.push(await make());
    await Promise.all(machines.map((machine) => machine.exec(["true"], { cwd: "/", signal })));
    return await Promise.all(machines.map(({ pid }) => readPss(pid)));
  } finally {
    await Promise.all(machines.map((machine) => machine.stop()));
  }
}

/** One machine with memory of its own, and folders that go with it. */
class Bench implements AsyncDisposable {
  readonly machine: Machine;
  readonly memoryFolder: string;
  readonly #context: BenchContext;
  readonly #root: string;
  #count = 0;

  private constructor(context: BenchContext, root: string, memoryFolder: string, machine: Machine) {
    this.#context = context;
    this.#root = root;
    this.memoryFolder = memoryFolder;
    this.machine = machine;
  }

  static async open(context: BenchContext, signal: AbortSignal): Promise<Bench> {
    const root = join(context.folder, "snapshots");
    const memoryFolder = join(root, "memory");
    await mkdir(memoryFolder, { recursive: true, mode: 0o700 });
    const machine = await context.lumina.spawn({ ...wish, memoryFolder, signal });
    await machine.exec(["true"], { cwd: "/", signal });
    return new Bench(context, root, memoryFolder, machine);
  }

  /** A new one, empty and private. */
  async folder(): Promise<string> {
    const path = join(this.#root, String((this.#count += 1)));
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  async save(signal: AbortSignal): Promise<SavedMachine> {
    const folder = await this.folder();
    const { key } = await this.machine.save(folder, { signal });
    return { folder, key };
  }

  fork(saved: SavedMachine, memoryFolder: string, signal: AbortSignal): Promise<Machine> {
    return this.#context.lumina.spawn({ ...wish, memoryFolder, saved, signal });
  }

  /** Works in a folder of its own, which is gone afterwards. */
  async within(work: (folder: string) => Promise<number>): Promise<number> {
    const folder = await this.folder();
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** What is waited for before a card is drawn: the folder is made in that time. */
  async timeCheckpoint(signal: AbortSignal): Promise<number> {
    const startedAt = performance.now();
    return this.within(async (folder) => {
      await this.machine.save(folder, { signal });
      return performance.now() - startedAt;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine.stop();
    await rm(this.#root, { recursive: true, force: true });
  }
}

const wish = { image: "base", memoryMib, vcpus: 1 };
