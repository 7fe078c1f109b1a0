/** The second key of a yes that would hurt: not the one a hand presses by itself. */
import type { Card } from "../runtime/values.ts";
import type { Dialogue, View } from "./dialogue.ts";
import { line } from "./line.ts";
import { readLine } from "./read-line.ts";

export type Confirmation = "yes" | "back" | "gone";

/** At once for a green card; for a red one `A` and Enter; the whole word for what nobody can undo. */
export async function confirm(
  dialogue: Dialogue,
  card: Pick<Card, "face" | "reversibility" | "risk">,
  view: View,
): Promise<Confirmation> {
  if (card.face === "green") return "yes";
  const isFinal = card.reversibility === "irreversible";
  const word = isFinal ? "approve" : "A";
  const why = isFinal ? "this cannot be undone" : "look at what is marked";
  const explain = `  ${card.risk} risk, ${why}: type ${word} and press Enter; Esc goes back`;
  const typed = await readLine(dialogue, {
    view,
    explain: () => [line(explain, "red")],
    charactersMax: word.length + 4,
  });
  if (typed === "gone") return "gone";
  return typed !== "back" && typed.text === word ? "yes" : "back";
}
