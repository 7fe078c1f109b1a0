/** What a metric is declared with, and the series it keeps: one for each combination of label values. */
import { LuminaGuardError } from "../errors.ts";

export type Labels<L extends string> = Readonly<Record<L, string>>;

export interface MetricOptions<L extends string> {
  /** as Prometheus wants it: unit last, `_total` for counters */
  readonly name: string;
  /** one line for people */
  readonly help: string;
  /** as OpenTelemetry writes it, such as `s` or `By`; absent for a plain count */
  readonly unit?: string;
  /** @default none */
  readonly labels?: readonly L[];
  /** most series kept; what would be one more is counted in a series whose labels are all `other`
   * @default 1000 */
  readonly seriesMax?: number;
}

/** the value of every label of the series that takes what has no room */
export const otherLabel = "other";
const defaultSeriesMax = 1000;
const nameForm = /^[A-Za-z_][A-Za-z0-9_]*$/;

interface Branch<S> {
  readonly branches: Map<string, Branch<S>>;
  series: S | undefined;
}

/** The series of one metric, found by a walk along their label values. Raises USAGE for a name that is none. */
export class SeriesSet<L extends string, S> {
  readonly labels: readonly L[];
  readonly #seriesMax: number;
  readonly #create: () => S;
  readonly #root: Branch<S> = { branches: new Map(), series: undefined };
  readonly #all: { readonly labels: Labels<L>; readonly series: S }[] = [];

  constructor(
    { name, labels = [], seriesMax = defaultSeriesMax }: MetricOptions<L>,
    create: () => S,
  ) {
    for (const each of [name, ...labels]) {
      if (!nameForm.test(each)) throw new LuminaGuardError("USAGE", `${each} names no metric`);
    }
    this.labels = [...labels];
    this.#seriesMax = seriesMax;
    this.#create = create;
  }

  /** oldest first */
  get all(): readonly { readonly labels: Labels<L>; readonly series: S }[] {
    return this.#all;
  }

  /** The series of these labels, or the one that takes what has no room. */
  at(labels: Labels<L>): S {
    const names = this.labels;
    let branch: Branch<S> | undefined = this.#root;
    for (let at = 0; at < names.length; at += 1) {
      branch = branch.branches.get(labels[names[at] as L]);
      if (branch === undefined) return this.#add(labels);
    }
    return branch.series ?? this.#add(labels);
  }

  #add(labels: Labels<L>): S {
    const isFull = this.#all.length >= this.#seriesMax;
    const kept: Partial<Record<L, string>> = {};
    let branch = this.#root;
    for (const name of this.labels) {
      const value = isFull ? otherLabel : labels[name];
      kept[name] = value;
      const next: Branch<S> = branch.branches.get(value) ?? {
        branches: new Map(),
        series: undefined,
      };
      branch.branches.set(value, next);
      branch = next;
    }
    if (branch.series !== undefined) return branch.series;
    branch.series = this.#create();
    this.#all.push({ labels: kept as Labels<L>, series: branch.series });
    return branch.series;
  }
}
