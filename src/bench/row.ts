/** One line of the result: the samples of a measurement, summed up and held against its goal. */
import type { Goal, Measurement, Series } from "./measurement.ts";
import { isHigherBetter } from "./measurement.ts";
import { summarize } from "./statistics.ts";
import type { Summary } from "./statistics.ts";

export interface Row {
  readonly measurement: Measurement;
  readonly value: Summary | undefined;
  readonly floor: Summary | undefined;
  /** median of the values by median of the floors: it can be checked from the two numbers beside it */
  readonly ratio: number | undefined;
  /** `undefined`: cannot be said, as something was not measured */
  readonly met: boolean | undefined;
  readonly notes: readonly string[];
  readonly series: Series;
}

export function createRow(measurement: Measurement, series: Series): Row {
  const higher = isHigherBetter(measurement);
  const value = summarize(series.values, higher);
  const floor = summarize(series.floors, higher);
  const ratio = value && floor && value.median / floor.median;
  const met = value && judge(measurement.goal, value.median, ratio);
  return { measurement, value, floor, ratio, met, notes: series.notes ?? [], series };
}

function judge(goal: Goal, value: number, ratio: number | undefined): boolean | undefined {
  switch (goal.kind) {
    case "at-most":
      return value <= goal.value;
    case "at-least":
      return value >= goal.value;
    case "ratio-at-most":
      return ratio === undefined ? undefined : ratio <= goal.ratio;
    case "ratio-at-least":
      return ratio === undefined ? undefined : ratio >= goal.ratio;
  }
}

export function renderGoal({ goal, unit }: Pick<Measurement, "goal" | "unit">): string {
  switch (goal.kind) {
    case "at-most":
      return `≤ ${goal.value} ${unit}`;
    case "at-least":
      return `≥ ${goal.value} ${unit}`;
    case "ratio-at-most":
      return `≤ ${goal.ratio} × floor`;
    case "ratio-at-least":
      return `≥ ${goal.ratio} × floor`;
  }
}

/** Three digits that count, whatever the size. */
export function renderNumber(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

export function renderVerdict({ met, value }: Pick<Row, "met" | "value">): string {
  if (value === undefined) return "failed";
  if (met === undefined) return "no floor";
  return met ? "met" : "missed";
}
