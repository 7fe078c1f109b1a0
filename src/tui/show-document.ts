/** [v]: all that a card has sections for, in the person's own pager or here. */
import type { Dialogue, View } from "./dialogue.ts";
import type { CardDocument } from "./document.ts";
import { line, paintLine } from "./line.ts";
import { ScrollView } from "./scroll-view.ts";

/** Shows the text until the person leaves, or the signal. */
export type Pager = (text: string, signal: AbortSignal) => Promise<void>;

export interface ShowOptions {
  readonly head: View["head"];
  readonly pager: Pager | undefined;
}

export interface ShowEnd {
  /** ids of the sections that were on the screen to their end */
  readonly opened: readonly string[];
  /** nobody is there any more */
  readonly isGone: boolean;
}

const backKeys = new Set(["q", "v", "escape", "ctrl-c"]);
const scrollKeys: Readonly<Record<string, string>> = { g: "home", G: "end" };

export async function showDocument(
  dialogue: Dialogue,
  document: CardDocument,
  { head, pager }: ShowOptions,
): Promise<ShowEnd> {
  const { isDumb } = dialogue.screen;
  if (pager !== undefined && !isDumb) return showInPager(dialogue, document, pager);
  const body = new ScrollView(document);
  const foot = (): string => {
    const place = document.isWhole && body.isSeen ? "end" : "more below";
    return isDumb ? "" : `  ${place}  ·  ↑ ↓ space, g first, G last, q back to the card`;
  };
  const view: View = {
    ...{ head, body, foot: () => [line(foot(), "dim")] },
    prepare: (rows) => document.fetch(body.seen + rows * 2),
  };
  for (;;) {
    await dialogue.draw(view);
    const key = isDumb ? undefined : await dialogue.nextKey();
    const isOver = key === undefined || key.name === "ctrl-z";
    if (isOver || backKeys.has(key.name)) {
      return { opened: document.endedBefore(body.seen), isGone: isOver && !isDumb };
    }
    const name = scrollKeys[key.name] ?? key.name;
    if (name === "end") await document.fetch(Infinity);
    body.scroll(name);
  }
}

async function showInPager(
  dialogue: Dialogue,
  document: CardDocument,
  pager: Pager,
): Promise<ShowEnd> {
  await document.fetch(Infinity);
  const lines = Array.from({ length: document.count }, (_, at) => document.at(at));
  const { style } = dialogue.screen;
  const text = lines.map((each) => `${paintLine(each, style)}\n`).join("");
  await dialogue.lend((signal) => pager(text, signal));
  return { opened: document.endedBefore(document.count), isGone: false };
}
