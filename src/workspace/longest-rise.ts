/** The longest part of a list whose keys rise (patience sorting), in its order. */
export function longestRise<T>(items: readonly T[], keyOf: (item: T) => number): readonly T[] {
  /** at place n the end of the best rise of n + 1 items: the one with the least key */
  const ends: number[] = [];
  /** the item before each in its rise */
  const previous: number[] = [];
  const keys = items.map(keyOf);
  keys.forEach((key, at) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((keys[ends[middle] ?? 0] ?? 0) < key) low = middle + 1;
      else high = middle;
    }
    previous[at] = low === 0 ? -1 : (ends[low - 1] ?? -1);
    ends[low] = at;
  });
  const rise: T[] = [];
  for (let at = ends.at(-1) ?? -1; at >= 0; at = previous[at] ?? -1) {
    rise.push(...items.slice(at, at + 1));
  }
  return rise.reverse();
}
