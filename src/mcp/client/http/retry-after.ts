/**
 * The `Retry-After` header (RFC 9110, section 10.2.3): seconds, or an HTTP date.
 */

/** more than a day is a mistake or a trick: in ms */
const waitMaxMs = 86_400_000;

/**
 * How long the server asks to be left alone, in ms, at most a day; undefined for what is neither.
 * @param now the wall clock, in ms since 1970
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text) * 1000, waitMaxMs);
  // HTTP dates begin with a day's name; Date.parse alone would take "1.5" for a date
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), waitMaxMs);
}
