/** The result for programs: one document. */
import { isHigherBetter } from "./measurement.ts";
import { renderGoal } from "./row.ts";
import type { Row } from "./row.ts";
import type { BenchResult } from "./run-bench.ts";

export function toJson({ host, durationMs, rows }: BenchResult): unknown {
  return { host, durationMs: Math.round(durationMs), rows: rows.map(rowToJson) };
}

/** Medians stand in `value` and `floor`; what was not measured is null. */
function rowToJson({ measurement, value, floor, ratio, met, notes, series }: Row): unknown {
  const { name, group, unit, what, floorIs } = measurement;
  return {
    name,
    group,
    what,
    unit,
    value: value?.median ?? null,
    floor: floor?.median ?? null,
    ratio: ratio ?? null,
    goal: renderGoal(measurement),
    met: met ?? null,
    samples: value?.samples ?? 0,
    higherIsBetter: isHigherBetter(measurement),
    floorIs: floorIs ?? null,
    spread: { value: spread(value), floor: spread(floor) },
    notes,
    raw: { values: series.values, floors: series.floors },
  };
}

function spread(summary: Row["value"]): unknown {
  if (summary === undefined) return null;
  const { p95, min, max, samples } = summary;
  return { p95, min, max, samples };
}
