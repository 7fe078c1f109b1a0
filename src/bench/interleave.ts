/**
 * Takes value and floor in turn (A B A B …), so that a host that grows slower or busier meanwhile
 * does it to both. One round before the first is not counted: it fills caches.
 */
import type { Series } from "./measurement.ts";

export type Sample = (signal: AbortSignal) => Promise<number>;

export async function interleave(
  samples: number,
  signal: AbortSignal,
  value: Sample,
  floor?: Sample,
): Promise<Series> {
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = -1; round < samples; round += 1) {
    signal.throwIfAborted();
    const measured = await value(signal);
    if (round >= 0) values.push(measured);
    if (floor === undefined) continue;
    const least = await floor(signal);
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
