/**
 * What a guest that only pretends to work is cut by. A watch knows when somebody waits for the stream:
 * time in which nobody waits does not count, so a slow reader is no fault of the guest's.
 */
import type { ClientHttp2Stream } from "node:http2";
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
export function watchPace(stream: ClientHttp2Stream, windowMs: number): Watch {
  let leftMs = windowMs;
  let bytes = 0;
  let since = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const cut = (): void => {
    stream.destroy(timeoutError(`the machine sent next to nothing for ${windowMs / 1000} s`));
  };
  return {
    wait: () => {
      since = performance.now();
      timer = setTimeout(cut, Math.max(0, leftMs));
    },
    moved: (count) => {
      clearTimeout(timer);
      leftMs -= performance.now() - since;
      bytes += count;
      if (bytes < movedBytesMin) return;
      bytes = 0;
      leftMs = windowMs;
    },
    end: () => clearTimeout(timer),
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
): Watch {
  let isOver = false;
  let isWaiting = false;
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const cut = (): void => {
    stream.destroy(timeoutError("the machine did not end the command at its time limit"));
  };
  const limit = setTimeout(() => {
    isOver = true;
    if (isWaiting) cut();
  }, limitMs + overtimeMs);
  return {
    wait: () => {
      isWaiting = true;
      if (isOver) timer = setTimeout(cut, overtimeMs);
    },
    moved: (count) => {
      isWaiting = false;
      clearTimeout(timer);
      if (isOver) bytes += count;
      if (bytes > inFlightBytesMax) cut();
    },
    end: () => {
      clearTimeout(timer);
      clearTimeout(limit);
    },
  };
}

function timeoutError(message: string): LuminaGuardError {
  return new LuminaGuardError("TIMEOUT", message);
}
