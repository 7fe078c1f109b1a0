/** A person's keys without a person: from a list, and then silence. */
import type { Key } from "../../src/tui/key-decoder.ts";
import type { Keyboard } from "../../src/tui/keys.ts";

export interface FakeKeyboardOptions {
  /** called before each key */
  readonly onKey?: () => void;
  /** called each time a key is waited for in vain, with how long, in `ms` @default waits to be woken */
  readonly onSilence?: (timeoutMs: number) => void;
  /** called when what was typed is dropped */
  readonly onSettle?: () => void;
}

const names = new Set(["enter", "tab", "backspace", "escape", "up", "down", "end", "home"]);

function toKey(key: string): Key {
  return names.has(key) || key.startsWith("ctrl-") || key.startsWith("page-")
    ? { name: key, text: "" }
    : { name: key, text: key };
}

export function createFakeKeyboard(
  keys: readonly string[],
  { onKey, onSilence, onSettle }: FakeKeyboardOptions = {},
): Keyboard {
  const left = [...keys];
  return {
    next: async (timeoutMs, { signal } = {}) => {
      const key = left.shift();
      if (key !== undefined) {
        onKey?.();
        return toKey(key);
      }
      if (onSilence === undefined) await woken(signal);
      else onSilence(timeoutMs);
      return undefined;
    },
    settle: () => onSettle?.(),
    isGone: () => false,
    lend: () => () => undefined,
    close: () => undefined,
  };
}

function woken(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
