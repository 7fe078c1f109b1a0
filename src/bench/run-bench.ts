/** Makes the measurements one after another. One that fails is a row that says so; an abort ends all. */
import { setMaxListeners } from "node:events";
import { allMeasurements } from "./all-measurements.ts";
import { BenchContext } from "./bench-context.ts";
import type { BenchContextOptions } from "./bench-context.ts";
import { readHostFacts } from "./host-facts.ts";
import type { HostFacts } from "./host-facts.ts";
import type { Measurement } from "./measurement.ts";
import { renderFailure } from "./not-measured.ts";
import { createRow } from "./row.ts";
import type { Row } from "./row.ts";

export interface BenchOptions extends BenchContextOptions {
  readonly measurements: readonly Measurement[];
  readonly samples: number;
  /** called before each measurement */
  readonly onMeasurement?: (measurement: Measurement) => void;
}

export interface BenchResult {
  readonly host: HostFacts;
  readonly samples: number;
  readonly durationMs: number;
  readonly rows: readonly Row[];
}

/** Those of a group, or the one of that name; none when nothing is called so. */
export function selectMeasurements(name: string | undefined): readonly Measurement[] {
  if (name === undefined) return allMeasurements;
  return allMeasurements.filter((one) => one.group === name || one.name === name);
}

/** What can be asked for by name. */
export function listGroups(): readonly string[] {
  return [...new Set(allMeasurements.map(({ group }) => group))];
}

export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const { measurements, samples, signal, onMeasurement } = options;
  const startedAt = performance.now();
  setMaxListeners(0, signal); // every machine of a fleet listens
  await using context = await BenchContext.open(options);
  const rows: Row[] = [];
  for (const measurement of measurements) {
    onMeasurement?.(measurement);
    try {
      rows.push(createRow(measurement, await measurement.run(context, samples, signal)));
    } catch (error) {
      signal.throwIfAborted();
      const notes = [`not measured: ${renderFailure(error)}`];
      rows.push(createRow(measurement, { values: [], floors: [], notes }));
    }
  }
  const host = readHostFacts(context.image, context.selection);
  return { host, samples, durationMs: performance.now() - startedAt, rows };
}
