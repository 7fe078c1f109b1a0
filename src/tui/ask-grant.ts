/** A yes that is remembered: the rule that it adds stands on the screen, word for word, before the key. */
import type { Card } from "../runtime/values.ts";
import type { Answer } from "./answer.ts";
import { confirm } from "./confirm.ts";
import type { Dialogue, View } from "./dialogue.ts";
import { emptyLine, line } from "./line.ts";
import type { Line } from "./line.ts";
import { readLine } from "./read-line.ts";
import { ScrollView, sourceOf } from "./scroll-view.ts";

/** most uses a grant may have */
const usesLimit = 1000;

/** Undefined: thought better of it. */
export async function askGrant(
  dialogue: Dialogue,
  card: Card,
  head: View["head"],
): Promise<Answer | undefined> {
  const offers = card.grants;
  const choose: View = {
    head,
    body: new ScrollView(
      sourceOf([
        line("  Remember this yes for"),
        ...offers.map(({ scopeKind }, at) => line(`  [${at + 1}] ${nameScope(scopeKind)}`)),
      ]),
    ),
    foot: () => [line("  a number shows the rule it adds; any other key goes back", "dim")],
  };
  await dialogue.draw(choose);
  const key = await dialogue.nextKey();
  if (key === undefined || key.name === "ctrl-z") return { kind: "no-answer" };
  const offer = /^[1-9]$/.test(key.name) ? offers[Number(key.name) - 1] : undefined;
  if (offer === undefined) return undefined;
  const view: View = {
    head,
    body: new ScrollView(
      sourceOf([
        line(`  This rule is added for ${nameScope(offer.scopeKind)}:`),
        emptyLine,
        ...offer.text.map((text) => line(`    ${text}`, "bold", 8)),
      ]),
    ),
    foot: () => [],
  };
  const usesMax = await askUses(dialogue, view, offer.usesMax);
  if (usesMax === "gone") return { kind: "no-answer" };
  if (usesMax === "back") return undefined;
  const confirmed = await confirm(dialogue, card, view);
  if (confirmed === "gone") return { kind: "no-answer" };
  return confirmed === "yes" ? { kind: "grant", scopeKind: offer.scopeKind, usesMax } : undefined;
}

async function askUses(
  dialogue: Dialogue,
  view: View,
  usual: number,
): Promise<number | "back" | "gone"> {
  const question = `  how often at most? Enter: ${usual} times; or a number up to ${usesLimit}; Esc goes back`;
  const explain = (): readonly Line[] => [line(question)];
  const typed = await readLine(dialogue, { view, explain, charactersMax: 4 });
  if (typed === "gone" || typed === "back") return typed;
  const uses = typed.text === "" ? usual : Number(typed.text);
  return Number.isInteger(uses) && uses >= 1 && uses <= usesLimit ? uses : "back";
}

function nameScope(scope: Card["grants"][number]["scopeKind"]): string {
  return scope === "7 days" ? "7 days, in any run" : `this ${scope}`;
}
