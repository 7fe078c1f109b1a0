/**
 * Keys out of what a terminal sends. A person's key comes alone: bytes that come together are a paste, a
 * terminal's report (`ESC [ 5 ; 3 R`) or an answer to a query, and none of these is a key. What is left
 * of such a sequence may come a moment later, so after each the keyboard is deaf for a while.
 */

import { escapeText } from "../base/escape-text.ts";

export interface Key {
  /** a character as it was typed, or the name of another key, such as `enter`; `text` for several at once */
  readonly name: string;
  /** what a line editor would take in; "" for keys that are no text */
  readonly text: string;
}

export interface KeyDecoderOptions {
  /** characters that come together are taken as one `text`, for a line editor @default false */
  readonly text?: boolean;
}

/** what belongs to the same sequence comes within this time, in `ms` */
const deafMs = 100;
/** longest text taken at once, in characters */
const textMax = 1000;

const named: Readonly<Record<string, string>> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\u007f": "backspace",
  "\b": "backspace",
  "\u0003": "ctrl-c",
  "\u0004": "ctrl-d",
  "\u001a": "ctrl-z",
  "\u001b": "escape",
  "\u001b[A": "up",
  "\u001b[B": "down",
  "\u001bOA": "up",
  "\u001bOB": "down",
  "\u001b[5~": "page-up",
  "\u001b[6~": "page-down",
  "\u001b[H": "home",
  "\u001bOH": "home",
  "\u001b[1~": "home",
  "\u001b[F": "end",
  "\u001bOF": "end",
  "\u001b[4~": "end",
};

export class KeyDecoder {
  #deafUntil = -Infinity;

  /** One read from the terminal at `now`, in `ms`: at most one key. */
  take(chunk: Uint8Array, now: number, { text = false }: KeyDecoderOptions = {}): Key | undefined {
    const wasDeaf = now < this.#deafUntil;
    const key = wasDeaf ? undefined : decode(chunk, text);
    // a lone escape may be the beginning of a report that was cut in two
    if (key === undefined || key.name === "escape") this.#deafUntil = now + deafMs;
    return key;
  }
}

function decode(chunk: Uint8Array, takesText: boolean): Key | undefined {
  const typed = new TextDecoder().decode(chunk);
  const name = Object.hasOwn(named, typed) ? named[typed] : undefined;
  if (name !== undefined) return { name, text: "" };
  if (typed === "" || typed.length > textMax || typed.includes("\ufffd")) return undefined;
  // what a card would write out is nothing that a person pressed
  if (escapeText(typed) !== typed) return undefined;
  const [first = ""] = typed;
  if (first === typed) return { name: typed, text: typed };
  return takesText ? { name: "text", text: typed } : undefined;
}
