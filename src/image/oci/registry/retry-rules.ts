/** When a request is made again, and after how long. */
import { setTimeout } from "node:timers/promises";
import { LuminaGuardError } from "../../../errors.ts";

export interface RetryRules {
  /** requests for one thing, with nothing gained in between
   * @default 5 */
  readonly triesMax: number;
  /** wait before the second, in `ms`; doubled each time
   * @default 500 */
  readonly firstWaitMs: number;
  /** longest wait, whatever the registry asks for, in `ms`
   * @default 60_000 */
  readonly waitMsMax: number;
}

export const defaultRetryRules: RetryRules = { triesMax: 5, firstWaitMs: 500, waitMsMax: 60_000 };

/** Statuses of a registry that is busy or being restarted. */
export function isPassing(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status);
}

/** A failure of the connection, which another try may not have. */
export function isOfConnection(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof LuminaGuardError) return false;
  const { code = "" } = error as NodeJS.ErrnoException;
  return passingCodes.has(code) || (error.cause !== undefined && isOfConnection(error.cause));
}

const passingCodes = new Set([
  "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH",
  "EHOSTUNREACH", "UND_ERR_SOCKET", "UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
]); // prettier-ignore

/**
 * Waits before another try: as long as the registry asks (Retry-After, RFC 9110, 10.2.3), else longer
 * each time, by a random part less so that many who were refused together do not come back together.
 */
export async function waitForTry(
  tries: number,
  retryAfter: string | undefined,
  rules: RetryRules,
  signal: AbortSignal,
): Promise<void> {
  const own = rules.firstWaitMs * 2 ** Math.min(tries - 1, 10) * (0.5 + Math.random() / 2);
  const asked = readRetryAfter(retryAfter);
  const waitMs = Math.min(asked ?? own, rules.waitMsMax);
  await setTimeout(waitMs, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}

/** In `ms`. */
export function readRetryAfter(
  text: string | undefined,
  nowMs: number = Date.now(),
): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text.trim()) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
