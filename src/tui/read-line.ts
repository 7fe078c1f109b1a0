/** A line that a person types, at the foot of a view: bounded, and shown escaped. */
import { escapeText } from "../base/escape-text.ts";
import type { Dialogue, View } from "./dialogue.ts";
import { line } from "./line.ts";
import type { Line } from "./line.ts";

export interface LineQuestion {
  /** what stays on the screen above */
  readonly view: View;
  /** drawn above the line */
  readonly explain: () => readonly Line[];
  readonly charactersMax: number;
  /** Called with keys that are no text, such as `tab`. */
  readonly onKey?: (name: string) => void;
}

/** `back`: thought better of it; `gone`: nobody is there any more. */
export type TypedLine = { readonly kind: "line"; readonly text: string } | "back" | "gone";

export async function readLine(dialogue: Dialogue, question: LineQuestion): Promise<TypedLine> {
  const { view, explain, charactersMax, onKey } = question;
  let text = "";
  const asking: View = {
    ...view,
    foot: () => [...explain(), line(`  > ${escapeText(text)}${dialogue.screen.isDumb ? "" : "▏"}`)],
  };
  for (;;) {
    await dialogue.draw(asking);
    const key = await dialogue.nextKey({ text: true });
    if (key === undefined) return "gone";
    if (key.name === "enter") return { kind: "line", text: text.trim() };
    if (["escape", "ctrl-c", "ctrl-d"].includes(key.name)) return "back";
    if (key.name === "ctrl-z") return "gone";
    if (key.name === "backspace") text = Array.from(text).slice(0, -1).join("");
    else if (key.text === "") onKey?.(key.name);
    else
      text = Array.from(text + key.text)
        .slice(0, charactersMax)
        .join("");
  }
}
