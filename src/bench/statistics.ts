/** Samples to the few numbers that stand for them. Nothing is left out as an outlier. */

export interface Summary {
  readonly median: number;
  /** 95 of 100 samples are this good or better */
  readonly p95: number;
  readonly min: number;
  readonly max: number;
  readonly samples: number;
}

/** `undefined` without samples. `higherIsBetter` says which tail the p95 looks at. */
export function summarize(samples: readonly number[], higherIsBetter = false): Summary | undefined {
  const sorted = [...samples].sort((one, other) => one - other);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const worstLast = higherIsBetter ? sorted.toReversed() : sorted;
  return {
    median: median(sorted),
    p95: worstLast[Math.ceil(0.95 * sorted.length) - 1] ?? max,
    min,
    max,
    samples: sorted.length,
  };
}

/** The middle of sorted numbers; of an even count the mean of both middles. */
function median(sorted: readonly number[]): number {
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? NaN;
  const lower = sorted[Math.ceil(half) - 1] ?? NaN;
  return (lower + upper) / 2;
}
