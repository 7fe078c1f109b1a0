/** Dotted versions, as hypervisors say theirs. */

/** Whether a dotted version is `least` or later. */
export function atLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split(".").map(Number));
  for (const [index, number] of (b ?? []).entries()) {
    const own = a?.[index] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}
