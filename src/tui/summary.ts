/** What stays on the terminal after a card: what was shown, and what was answered. */
import { escapeText } from "../base/escape-text.ts";
import type { Card } from "../runtime/values.ts";
import type { Answer } from "./answer.ts";
import { line } from "./line.ts";
import type { Line } from "./line.ts";

export function describeAnswer(card: Card, answer: Answer): readonly Line[] {
  const shown = `  card      ${card.shortId} · ${card.title} · sha256 ${card.digest.slice(0, 12)}`;
  return [line(shown, "dim"), line(`  answer    ${describe(answer)}`)];
}

function describe(answer: Answer): string {
  switch (answer.kind) {
    case "approve":
      return "approved";
    case "reject": {
      const reason = answer.reason === "" ? "" : `: ${escapeText(answer.reason)}`;
      return `rejected${answer.freeze ? ", machine frozen" : ""}${reason}`;
    }
    case "choose": {
      const { paths, hunks } = answer.choice;
      const parts = Object.keys(hunks).length;
      const files = `${paths.length} ${paths.length === 1 ? "file" : "files"}`;
      return `approved ${files}${parts > 0 ? `, ${parts} of them in part` : ""}`;
    }
    case "grant":
      return `approved, and remembered: ${answer.scopeKind}, at most ${answer.usesMax} times`;
    case "edit":
      return "edited: a new card of what it is now";
    case "stop":
      return "STOP";
    case "no-answer":
      return "no answer: that is a no";
  }
}
