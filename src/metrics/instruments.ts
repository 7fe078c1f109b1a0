/** The three kinds of metric. Adding to one costs a walk along its labels, and no allocation. */
import { LuminaGuardError } from "../errors.ts";
import { SeriesSet } from "./metric.ts";
import type { Labels, MetricOptions } from "./metric.ts";

/** Goes up. */
export class Counter<L extends string = never> {
  readonly options: MetricOptions<L>;
  readonly #series: SeriesSet<L, { value: number }>;

  constructor(options: MetricOptions<L>) {
    this.options = options;
    this.#series = new SeriesSet(options, () => ({ value: 0 }));
  }

  /** @param by at least 0; 1 unless said */
  add(labels: Labels<L>, by = 1): void {
    if (by >= 0) this.#series.at(labels).value += by;
  }

  read(): readonly Sample[] {
    return this.#series.all.map(({ labels, series }) => ({ labels, value: series.value }));
  }
}

/** Says what a gauge stands at, once for each of its series. */
export type GaugeReader<L extends string> = (
  tell: (labels: Labels<L>, value: number) => void,
) => void;

export interface GaugeOptions<L extends string> extends MetricOptions<L> {
  /** what several readers make of one series: an amount they share, or the worst of a state */
  readonly together: "sum" | "max";
}

/** Goes up and down. It is read when somebody looks, so that nothing is paid while nobody does. */
export class Gauge<L extends string = never> {
  readonly options: GaugeOptions<L>;
  readonly #readers = new Set<GaugeReader<L>>();

  constructor(options: GaugeOptions<L>) {
    this.options = options;
  }

  /** Returns what ends it; the reader's series are gone then. */
  watch(reader: GaugeReader<L>): () => void {
    this.#readers.add(reader);
    return () => void this.#readers.delete(reader);
  }

  read(): readonly Sample[] {
    const isSum = this.options.together === "sum";
    const all = new SeriesSet<L, { value: number | undefined }>(this.options, () => ({
      value: undefined,
    }));
    for (const reader of this.#readers) {
      reader((labels, value) => {
        const series = all.at(labels);
        if (series.value === undefined) series.value = value;
        else series.value = isSum ? series.value + value : Math.max(series.value, value);
      });
    }
    return all.all.map(({ labels, series }) => ({ labels, value: series.value ?? 0 }));
  }
}

export interface HistogramOptions<L extends string> extends MetricOptions<L> {
  /** upper bounds, included, rising; what is above the last is counted without a bound */
  readonly bounds: readonly number[];
}

interface Distribution {
  readonly counts: number[];
  sum: number;
}

/** How values spread. */
export class Histogram<L extends string = never> {
  readonly options: HistogramOptions<L>;
  readonly #series: SeriesSet<L, Distribution>;

  /** Raises USAGE for bounds that do not rise. */
  constructor(options: HistogramOptions<L>) {
    const { bounds, name } = options;
    const isRising = bounds.every((each, at) => at === 0 || each > (bounds[at - 1] ?? each));
    if (!isRising || !bounds.every(Number.isFinite)) {
      throw new LuminaGuardError("USAGE", `the bounds of ${name} do not rise`);
    }
    this.options = options;
    this.#series = new SeriesSet(options, () => ({
      counts: Array.from({ length: bounds.length + 1 }, () => 0),
      sum: 0,
    }));
  }

  /** A value that is no number is left out. */
  observe(labels: Labels<L>, value: number): void {
    if (Number.isNaN(value)) return;
    const { bounds } = this.options;
    const series = this.#series.at(labels);
    let slot = 0;
    while (slot < bounds.length && value > (bounds[slot] ?? 0)) slot += 1;
    series.counts[slot] = (series.counts[slot] ?? 0) + 1;
    series.sum += value;
  }

  read(): readonly SpreadSample[] {
    return this.#series.all.map(({ labels, series }) => ({
      labels,
      counts: [...series.counts],
      sum: series.sum,
    }));
  }
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface SpreadSample {
  readonly labels: Readonly<Record<string, string>>;
  /** one for each bound, not cumulated, and one for what is above the last */
  readonly counts: readonly number[];
  readonly sum: number;
}
