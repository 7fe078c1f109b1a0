/** A program of some size in a machine of a pool, beside the machine that all of them are copies of. */
import { isLuminaGuardError } from "../../errors.ts";
import type { Image } from "../../image/image-store.ts";
import type { Machine } from "../../runtime/machine.ts";
import type { BenchContext } from "../bench-context.ts";
import { interleave, timed } from "../interleave.ts";
import type { Measurement } from "../measurement.ts";

const imageName = "bench-node";

export const nodeAgain: Measurement = {
  name: "node-again",
  group: "vm",
  unit: "ms",
  what: "`node -v` in a machine of a pool that ran it once",
  floorIs: "the same in a machine that booted and ran it once",
  goal: { kind: "ratio-at-most", ratio: 1.5 },
  method:
    "An image with Debian's nodejs is built where it is missing, and removed. A pool of one has a clone of it; both machines have run `node -v` once, which is not counted. A sample is the time to its exit code.",
  run: async (context, samples, signal) => {
    const { image, isOurs } = await openImage(context, signal);
    try {
      const { memoryMib } = context;
      await using pool = context.lumina.pool(1, { image: imageName, memoryMib });
      await using machine = await pool.claim(signal);
      await using original = await context.boot(signal, image);
      for (const each of [machine, original]) await runNode(each, signal);
      return await interleave(
        context,
        samples,
        signal,
        () => timed(() => runNode(machine, signal)),
        () => timed(() => runNode(original, signal)),
      );
    } finally {
      if (isOurs) await context.lumina.images.remove(imageName);
    }
  },
};

async function openImage(
  { lumina }: BenchContext,
  signal: AbortSignal,
): Promise<{ readonly image: Image; readonly isOurs: boolean }> {
  try {
    return { image: await lumina.images.open(imageName, { signal }), isOurs: false };
  } catch (error) {
    if (!isLuminaGuardError(error, "IMAGE_NOT_FOUND")) throw error;
    const wish = { name: imageName, packages: ["nodejs"] };
    return { image: await lumina.images.build(wish, { signal }), isOurs: true };
  }
}

async function runNode(machine: Machine, signal: AbortSignal): Promise<void> {
  await machine.exec(["node", "-v"], { cwd: "/", signal });
}
