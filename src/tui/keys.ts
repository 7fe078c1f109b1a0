/**
 * Keys from the controlling terminal and from nowhere else: what a program prints, or what was typed
 * before the card was drawn, never answers it.
 */
import { closeSync, constants, openSync } from "node:fs";
import { ReadStream } from "node:tty";
import { KeyDecoder } from "./key-decoder.ts";
import type { Key, KeyDecoderOptions } from "./key-decoder.ts";

export interface NextKeyOptions extends KeyDecoderOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface Keyboard {
  /** The next key, or `undefined` when the time is up or the terminal went away. */
  readonly next: (timeoutMs: number, options?: NextKeyOptions) => Promise<Key | undefined>;
  /** Drops what was typed so far, and what comes before a person can have read what was just drawn. */
  readonly settle: () => void;
  /** Whether the terminal went away, or the program was told to stop: nobody answers any more. */
  readonly isGone: () => boolean;
  /** Leaves the terminal to another program until the result is called. */
  readonly lend: () => () => void;
  readonly close: () => void;
}

/** keys that come sooner after a card was drawn were typed before it was read */
const settleMs = 500;

/** The controlling terminal's keyboard, or `undefined` when there is none. */
export function openKeyboard(path = "/dev/tty"): Keyboard | undefined {
  const open = (): ReadStream | undefined => openTerminal(path);
  const terminal = open();
  return terminal && readKeys(terminal, open);
}

function openTerminal(path: string): ReadStream | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    return undefined; // no controlling terminal: nobody can be asked
  }
  try {
    const terminal = new ReadStream(descriptor);
    terminal.setRawMode(true);
    return terminal;
  } catch {
    closeSync(descriptor);
    return undefined; // it is not a terminal
  }
}

interface Waiting {
  readonly options: KeyDecoderOptions;
  readonly finish: (key: Key | undefined) => void;
}

function readKeys(first: ReadStream, reopen: () => ReadStream | undefined): Keyboard {
  let terminal = first;
  const decoder = new KeyDecoder();
  let settledAt = performance.now() + settleMs;
  let waiting: Waiting | undefined;
  let isGone = false;
  const onGone = (): void => {
    isGone = true;
    waiting?.finish(undefined);
  };
  const listen = (): void => {
    terminal.on("data", (data: Buffer) => {
      const now = performance.now();
      const key = decoder.take(data, now, waiting?.options);
      if (key !== undefined && now >= settledAt) waiting?.finish(key);
    });
    terminal.on("error", onGone).on("close", onGone).on("end", onGone);
  };
  const release = (): void => {
    terminal.removeAllListeners().on("error", () => undefined);
    terminal.setRawMode(false);
    terminal.destroy();
  };
  listen();
  // a program that is stopped shows nothing: its card is not there to be answered
  process.on("SIGTSTP", onGone);
  const settle = (): void => void (settledAt = performance.now() + settleMs);
  return {
    next: (timeoutMs, { signal, ...options } = {}) => {
      if (isGone || signal?.aborted === true) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const finish = (key: Key | undefined): void => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
          waiting = undefined;
          resolve(key);
        };
        const onAbort = (): void => finish(undefined);
        const timer = setTimeout(finish, timeoutMs, undefined);
        signal?.addEventListener("abort", onAbort, { once: true });
        waiting = { options, finish };
      });
    },
    settle,
    isGone: () => isGone,
    lend: () => {
      // closed: a stream that is only paused still takes keys from whoever has the terminal
      release();
      return () => {
        const again = isGone ? undefined : reopen();
        if (again === undefined) {
          onGone();
          return;
        }
        terminal = again;
        listen();
        settle();
      };
    },
    close: () => {
      process.off("SIGTSTP", onGone);
      release();
    },
  };
}
