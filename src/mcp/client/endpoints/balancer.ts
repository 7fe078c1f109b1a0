/** Which of several endpoints takes the next call. */

export type Balancing = "round-robin" | "least-in-flight" | "weighted";

export interface Balanced {
  readonly weight: number;
  readonly inFlight: number;
}

export type Pick<E extends Balanced> = (candidates: readonly E[]) => E | undefined;

/** @param start where round robin begins, so that many clients do not all begin with the first */
export function createBalancer<E extends Balanced>(balancing: Balancing, start: number): Pick<E> {
  if (balancing === "weighted") return createWeighted();
  const pickInTurn = createRoundRobin<E>(start);
  if (balancing === "round-robin") return pickInTurn;
  return (candidates) => {
    let least = Number.POSITIVE_INFINITY;
    for (const { inFlight, weight } of candidates) least = Math.min(least, inFlight / weight);
    return pickInTurn(candidates.filter(({ inFlight, weight }) => inFlight / weight === least));
  };
}

function createRoundRobin<E>(start: number): (candidates: readonly E[]) => E | undefined {
  let turn = start;
  return (candidates) => {
    if (candidates.length === 0) return undefined;
    turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
    return candidates[turn % candidates.length];
  };
}

/** Smooth weighted round robin: shares as the weights say, and no run of one endpoint. */
function createWeighted<E extends Balanced>(): Pick<E> {
  const credits = new WeakMap<E, number>();
  return (candidates) => {
    let best: E | undefined;
    let bestCredit = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (const each of candidates) {
      const credit = (credits.get(each) ?? 0) + each.weight;
      credits.set(each, credit);
      total += each.weight;
      if (credit > bestCredit) {
        best = each;
        bestCredit = credit;
      }
    }
    if (best !== undefined) credits.set(best, bestCredit - total);
    return best;
  };
}
