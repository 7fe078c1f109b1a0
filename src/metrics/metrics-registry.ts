/** All metrics of a program, by name: asking twice for one gives the same. */
import { LuminaGuardError } from "../errors.ts";
import { Counter, Gauge, Histogram } from "./instruments.ts";
import type { GaugeOptions, HistogramOptions, Sample, SpreadSample } from "./instruments.ts";
import type { MetricOptions } from "./metric.ts";

interface Described {
  readonly name: string;
  readonly help: string;
  readonly unit: string | undefined;
}

export type MetricSnapshot =
  | (Described & { readonly kind: "counter" | "gauge"; readonly samples: readonly Sample[] })
  | (Described & {
      readonly kind: "histogram";
      readonly bounds: readonly number[];
      readonly samples: readonly SpreadSample[];
    });

type Instrument = Counter<string> | Gauge<string> | Histogram<string>;

/** Each method raises USAGE for a name that stands for something else already. */
export class MetricsRegistry {
  readonly #metrics = new Map<string, { readonly schema: string; readonly metric: Instrument }>();

  counter<L extends string = never>(options: MetricOptions<L>): Counter<L> {
    return this.#declare("counter", options, () => new Counter(options));
  }

  gauge<L extends string = never>(options: GaugeOptions<L>): Gauge<L> {
    return this.#declare("gauge", options, () => new Gauge(options));
  }

  histogram<L extends string = never>(options: HistogramOptions<L>): Histogram<L> {
    return this.#declare("histogram", options, () => new Histogram(options));
  }

  /** What every metric stands at now, in the order they were declared. */
  snapshot(): readonly MetricSnapshot[] {
    return [...this.#metrics.values()].map(({ metric }) => {
      const { name, help, unit } = metric.options;
      const described = { name, help, unit };
      if (metric instanceof Histogram) {
        const { bounds } = metric.options;
        return { ...described, kind: "histogram", bounds, samples: metric.read() };
      }
      const kind = metric instanceof Counter ? "counter" : "gauge";
      return { ...described, kind, samples: metric.read() };
    });
  }

  #declare<M>(kind: string, options: MetricOptions<string>, create: () => M): M {
    const { name } = options;
    const schema = JSON.stringify([kind, options]);
    const known = this.#metrics.get(name);
    if (known !== undefined) {
      if (known.schema === schema) return known.metric as M;
      throw new LuminaGuardError("USAGE", `the metric ${name} is declared as something else`);
    }
    const metric = create();
    this.#metrics.set(name, { schema, metric: metric as Instrument });
    return metric;
  }
}
