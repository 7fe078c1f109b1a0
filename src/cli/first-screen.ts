/** The terminal face without a terminal, for the benchmark: one key is pressed, and then nobody is there. */
import type { Card, FileDiff } from "../runtime/values.ts";
import { askOnTerminal } from "../tui/ask-on-terminal.ts";
import type { Keyboard } from "../tui/keys.ts";
import type { Screen } from "../tui/screen.ts";
import { createStyle } from "../tui/style.ts";

/** The first screen of a card's differences, 80 columns by 24 rows, as it is sent to a terminal. */
export async function showFirstScreen(
  card: Card,
  diffOf: () => Promise<FileDiff>,
): Promise<string> {
  const keys = ["v"];
  let drawn = "";
  let first = "";
  const keyboard: Keyboard = {
    next: () => {
      const name = keys.shift();
      if (name === undefined) first = drawn;
      return Promise.resolve(name === undefined ? undefined : { name, text: name });
    },
    settle: () => undefined,
    isGone: () => first !== "",
    lend: () => () => undefined,
    close: () => undefined,
  };
  const screen: Screen = {
    write: (text) => void (drawn = text),
    columns: () => 80,
    rows: () => 24,
    ...{ isDumb: false, isColoured: true, style: createStyle(true) },
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  };
  await askOnTerminal(card, { keyboard, screen, diffOf, expiresAt: Infinity });
  return first;
}
