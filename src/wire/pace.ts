/**
 * What a guest that only pretends to work is cut by. A watch knows when somebody waits for the stream:
 * time in which nobody waits does not count, so a slow reader is no fault of the guest's. Nor does time
 * in which the clock stands still.
 */
import type { ClientHttp2Stream } from "node:http2";
import { callAfter, hostClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { LuminaGuardError } from "../errors.ts";

export interface Watch {
  /** somebody waits for the stream from now on */
  readonly wait: () => void;
  /** the stream moved: nobody waits */
  readonly moved: (bytes: number) => void;
  readonly end: () => void;
}

/** least that must come in one window of waiting, in `bytes` */
const movedBytesMin = 4096;

/** Cuts a stream that stalls, or sends a byte now and then: at least 4 KiB must come in each window of waiting. */
export function watchPace(
  stream: ClientHttp2Stream,
  windowMs: number,
  clock: Clock = hostClock,
): Watch {
  let leftMs = windowMs;
  let bytes = 0;
  let since = clock.now();
  let callOff: (() => void) | undefined;
  const cut = (): void => {
    stream.destroy(timeoutError(`the machine sent next to nothing for ${windowMs / 1000} s`));
  };
  return {
    wait: () => {
      since = clock.now();
      callOff = callAfter(Math.max(0, leftMs), cut, clock);
    },
    moved: (count) => {
      callOff?.();
      leftMs -= clock.now() - since;
      bytes += count;
      if (bytes < movedBytesMin) return;
      bytes = 0;
      leftMs = windowMs;
    },
    end: () => callOff?.(),
  };
}

/** the guest takes one second itself, and may be starved by the command */
const defaultOvertimeMs = 10_000;
/** most that may still come after that, in `bytes`: what was in flight */
const inFlightBytesMax = 8 * 1024 * 1024;

/** Holds the guest to a command's time limit: what was printed until then may be read, and no more. */
export function watchLimit(
  stream: ClientHttp2Stream,
  limitMs: number,
  overtimeMs: number = defaultOvertimeMs,
  clock: Clock = hostClock,
): Watch {
  let isOver = false;
  let isWaiting = false;
  let bytes = 0;
  let callOff: (() => void) | undefined;
  const cut = (): void => {
    stream.destroy(timeoutError("the machine did not end the command at its time limit"));
  };
  const onLimit = (): void => {
    isOver = true;
    if (isWaiting) cut();
  };
  const callOffLimit = callAfter(limitMs + overtimeMs, onLimit, clock);
  return {
    wait: () => {
      isWaiting = true;
      if (isOver) callOff = callAfter(overtimeMs, cut, clock);
    },
    moved: (count) => {
      isWaiting = false;
      callOff?.();
      if (isOver) bytes += count;
      if (bytes > inFlightBytesMax) cut();
    },
    end: () => {
      callOff?.();
      callOffLimit();
    },
  };
}

function timeoutError(message: string): LuminaGuardError {
  return new LuminaGuardError("TIMEOUT", message);
}
