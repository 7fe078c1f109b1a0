/** A command in a machine that runs already. */
import { interleave, timed } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";

/** commands in a row for one sample of the floor: one is too short for its clock */
const rowLength = 5;

export const warmExec: Measurement = {
  name: "warm-exec",
  group: "exec",
  unit: "ms",
  what: "exec of true in a running machine, to its exit code",
  floorIs: "fork, exec and wait of it inside the guest",
  goal: { kind: "ratio-at-most", ratio: 2 },
  knownReason:
    "Above the floor is the guest agent's own part, emulated as well: a stream, three pipes, a user to change to, and the answer's frames.",
  method: `The floor is timed by the guest's own clock: the one-byte agent spawns the same busybox's \`true\` by vfork and waits for it, ${rowLength} times in a row; a sample is the time for one.`,
  run: async (context, samples, signal) => {
    const { floor, notes } = await context.floor(signal);
    await using machine = await context.spawn(signal);
    const bare = await floor?.clone(context.memoryMib, signal);
    const order = Buffer.alloc(5, "t");
    order.writeUInt32LE(rowLength, 1);
    const inGuest = async (): Promise<number> => {
      const spent = await bare?.ask(order, 8, signal);
      return Number(spent?.readBigUInt64LE() ?? NaN) / rowLength / 1e6;
    };
    try {
      const exec = (): Promise<number> =>
        timed(async () => machine.exec(["true"], { cwd: "/", signal }));
      const series = await interleave(context, samples, signal, exec, bare && inGuest);
      return { ...series, notes };
    } finally {
      await bare?.stop();
    }
  },
};
