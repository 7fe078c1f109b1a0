/**
 * Keys from the controlling terminal and from nowhere else: what a program prints, or what was typed
 * before the card was drawn, never answers it.
 */
import { closeSync, constants, openSync } from "node:fs";
import { ReadStream } from "node:tty";

export interface Keyboard {
  /** The next key, or `undefined` when the time is up or the terminal went away. */
  readonly next: (timeoutMs: number, signal?: AbortSignal) => Promise<string | undefined>;
  readonly close: () => void;
}

/** keys that come sooner after a card was drawn were typed before it was read */
const settleMs = 500;

/** The controlling terminal's keyboard, or `undefined` when there is none. */
export function openKeyboard(path = "/dev/tty"): Keyboard | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    return undefined; // no controlling terminal: nobody can be asked
  }
  let terminal: ReadStream;
  try {
    terminal = new ReadStream(descriptor);
    terminal.setRawMode(true);
  } catch {
    closeSync(descriptor);
    return undefined; // it is not a terminal
  }
  const openedAt = performance.now();
  let waiting: ((key: string | undefined) => void) | undefined;
  let isGone = false;
  const onGone = (): void => {
    isGone = true;
    waiting?.(undefined);
  };
  terminal.on("data", (data: Buffer) => {
    if (performance.now() - openedAt >= settleMs) waiting?.(data.toString("latin1"));
  });
  terminal.on("error", onGone).on("close", onGone);
  return {
    next: (timeoutMs, signal) => {
      if (isGone || signal?.aborted === true) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const finish = (key: string | undefined): void => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
          waiting = undefined;
          resolve(key);
        };
        const onAbort = (): void => finish(undefined);
        const timer = setTimeout(finish, timeoutMs, undefined);
        signal?.addEventListener("abort", onAbort, { once: true });
        waiting = finish;
      });
    },
    close: () => {
      terminal.setRawMode(false);
      terminal.destroy();
    },
  };
}
