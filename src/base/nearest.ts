/** Finds the name a person probably meant: the fewest slips (Damerau-Levenshtein) wins. */

/** most slips of a name that is still worth suggesting, for a name of `length` characters */
function slipsMax(length: number): number {
  return Math.max(1, Math.floor(length / 3));
}

/**
 * The candidates nearest to `name`, best first, then by alphabet; none that is too far off.
 * @param count most names given back
 */
export function nearestNames(name: string, candidates: Iterable<string>, count = 3): string[] {
  const max = slipsMax(name.length);
  const found: { name: string; slips: number }[] = [];
  for (const candidate of new Set(candidates)) {
    if (Math.abs(candidate.length - name.length) > max) continue;
    const slips = countSlips(name, candidate);
    if (slips <= max) found.push({ name: candidate, slips });
  }
  found.sort((a, b) => a.slips - b.slips || (a.name < b.name ? -1 : 1));
  return found.slice(0, count).map((entry) => entry.name);
}

/** `did you mean "python"?`, or undefined where nothing is near. */
export function renderDidYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const names = nearestNames(name, candidates);
  if (names.length === 0) return undefined;
  return `did you mean ${names.map((each) => JSON.stringify(each)).join(" or ")}?`;
}

/**
 * Letters to insert, leave out, change or swap with a neighbour to get from `a` to `b`
 * (optimal string alignment).
 */
export function countSlips(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let slips = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) slips = Math.min(slips, at(beforeLast, column - 2) + 1);
      current.push(slips);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
