/** A terminal without a terminal: keys from a list, time that passes only while a key is waited for. */
import type { Answer } from "../../src/tui/answer.ts";
import { askOnTerminal } from "../../src/tui/ask-on-terminal.ts";
import type { AskOptions } from "../../src/tui/ask-on-terminal.ts";
import type { Screen } from "../../src/tui/screen.ts";
import { createStyle } from "../../src/tui/style.ts";
import type { Card } from "../../src/runtime/values.ts";
import { createFakeKeyboard } from "./fake-keyboard.ts";

export interface FakeTerminalOptions extends Partial<
  Pick<AskOptions, "diffOf" | "edit" | "pager" | "signal">
> {
  readonly columns?: number;
  readonly rows?: number;
  /** lines are printed instead of drawn @default false */
  readonly isDumb?: boolean;
  /** @default false */
  readonly isColoured?: boolean;
  /** how long the card waits, in `ms` @default 300_000 */
  readonly waitsMs?: number;
}

export interface Asked {
  readonly answer: Answer;
  /** everything that was written */
  readonly written: string;
  /** what stood on the screen before each key, and at the end */
  readonly screens: readonly string[];
  /** how often what was typed was dropped */
  readonly settled: number;
}

/** Types these keys at a card; when they are used up, the time runs out. */
export async function typeAt(
  card: Card,
  keys: readonly string[],
  options: FakeTerminalOptions = {},
): Promise<Asked> {
  const {
    columns = 80,
    rows = 24,
    isDumb = false,
    isColoured = false,
    waitsMs = 300_000,
  } = options;
  const screens: string[] = [];
  let [written, shown, time, settled] = ["", "", 0, 0];
  const keyboard = createFakeKeyboard(keys, {
    onKey: () => void screens.push(shown),
    onSilence: (timeoutMs) => void (time += timeoutMs),
    onSettle: () => void (settled += 1),
  });
  const screen: Screen = {
    write: (text) => {
      written += text;
      const drawn = readRows(text);
      shown = drawn ?? (isDumb ? shown + text : text);
    },
    columns: () => columns,
    rows: () => rows,
    isDumb,
    isColoured,
    style: createStyle(isColoured),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  };
  const answer = await askOnTerminal(card, {
    ...{ keyboard, screen, now: () => time, expiresAt: waitsMs },
    diffOf: options.diffOf ?? (() => Promise.resolve({ kind: "hunks", hunks: [] })),
    edit: options.edit,
    pager: options.pager,
    signal: options.signal,
  });
  return { answer, written, screens: [...screens, shown], settled };
}

/** The rows of a whole screen as it is drawn; undefined when the text is something else. */
function readRows(text: string): string | undefined {
  if (!text.startsWith("\u001b[H")) return undefined;
  return text
    .slice(3)
    .replaceAll("\u001b[0m\u001b[K", "")
    .replace("\u001b[J", "")
    .replaceAll("\r", "");
}
