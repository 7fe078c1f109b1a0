/**
 * Takes value and floor in turn (A B A B …), so that a host that grows slower or busier meanwhile
 * does it to both. One round before the first is not counted: it fills caches. Each sample starts
 * when what the one before left running is done.
 */
import type { Series } from "./measurement.ts";

type Sample = () => Promise<number>;

interface Host {
  /** Resolves when nothing of what was measured still runs. */
  readonly quiet: (signal: AbortSignal) => Promise<void>;
}

export async function interleave(
  host: Host,
  samples: number,
  signal: AbortSignal,
  value: Sample,
  floor?: Sample,
): Promise<Series> {
  const take = async (sample: Sample): Promise<number> => {
    signal.throwIfAborted();
    await host.quiet(signal);
    return sample();
  };
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = -1; round < samples; round += 1) {
    const measured = await take(value);
    if (round >= 0) values.push(measured);
    if (floor === undefined) continue;
    const least = await take(floor);
    if (round >= 0) floors.push(least);
  }
  return { values, floors };
}

/** How long the work took in `ms`. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
