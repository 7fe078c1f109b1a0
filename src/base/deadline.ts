/**
 * Waits that end: every wait in LuminaGuard has a deadline and obeys the caller's signal.
 * A wait that the caller aborted rethrows the caller's own reason.
 */
import { LuminaGuardError } from "../errors.ts";
import { callAfter } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { createDeferred } from "./deferred.ts";

export interface DeadlineOptions {
  /** longest wait in `ms` */
  readonly timeoutMs: number;
  /** what is waited for, as it stands in "… took longer than 5 s" */
  readonly what: string;
  readonly hint?: string;
  readonly signal?: AbortSignal | undefined;
  /** what the wait is counted on
   * @default the host's */
  readonly clock?: Clock | undefined;
}

/**
 * The promise's value, or TIMEOUT when `timeoutMs` passed first, or the signal's reason.
 * The work itself is not stopped: the caller owns it.
 */
export async function withDeadline<T>(work: Promise<T>, options: DeadlineOptions): Promise<T> {
  const { timeoutMs, what, hint, signal, clock } = options;
  work.catch(() => undefined); // whoever stops waiting first must not leave it unheard
  signal?.throwIfAborted();
  const end = createDeferred<never>();
  const onDue = (): void => {
    const message = `${what} took longer than ${formatSeconds(timeoutMs)}`;
    end.reject(new LuminaGuardError("TIMEOUT", message, hint === undefined ? {} : { hint }));
  };
  const callOff = callAfter(timeoutMs, onDue, clock);
  const onAbort = (): void => end.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, end.promise]);
  } finally {
    callOff();
    signal?.removeEventListener("abort", onAbort);
  }
}

function formatSeconds(ms: number): string {
  return `${String(Math.round(ms / 100) / 10)} s`;
}
