/**
 * What the benchmark is made of: each measurement says what it measures, beside which floor and with
 * which goal, and gives samples. Statistics, judging and drawing are not its business.
 */
import type { BenchContext } from "./bench-context.ts";

export type Unit = "ms" | "MB/s" | "MiB" | "machines" | "per s" | "µs";

/** What the median has to be, alone or beside the median of the floor. */
export type Goal =
  | { readonly kind: "at-most"; readonly value: number }
  | { readonly kind: "at-least"; readonly value: number }
  | { readonly kind: "ratio-at-most"; readonly ratio: number }
  | { readonly kind: "ratio-at-least"; readonly ratio: number };

export interface Series {
  readonly values: readonly number[];
  /** what the same host does at best, measured in turn with the values */
  readonly floors: readonly number[];
  /** facts beside the numbers, one line each */
  readonly notes?: readonly string[];
}

export interface Measurement {
  readonly name: string;
  readonly group: string;
  readonly unit: Unit;
  /** one line: from where to where */
  readonly what: string;
  /** what the floor is, one line; absent where the goal is a number of its own */
  readonly floorIs?: string;
  readonly goal: Goal;
  /** how it is done, for whoever wants to do it again */
  readonly method: string;
  /** why the goal is missed on the host it was written for; shown only where it is */
  readonly knownReason?: string;
  readonly run: (context: BenchContext, samples: number, signal: AbortSignal) => Promise<Series>;
}

/** Whether a larger number is the better one. */
export function isHigherBetter({ goal }: Pick<Measurement, "goal">): boolean {
  return goal.kind === "at-least" || goal.kind === "ratio-at-least";
}
