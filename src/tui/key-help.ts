/** The keys of a card, in a row and explained. */
import { filesOf } from "../runtime/values.ts";
import type { Card, CardChoice } from "../runtime/values.ts";
import { line } from "./line.ts";
import type { Line } from "./line.ts";

interface KeyHelp {
  readonly key: string;
  readonly choice: CardChoice;
  readonly short: string;
  readonly long: string;
}

function keysOf(card: Card): readonly KeyHelp[] {
  const isFiles = filesOf(card).length > 0;
  const all: readonly KeyHelp[] = [
    {
      ...{ key: "v", choice: "view", short: "view" },
      long: isFiles ? "show the difference of every file" : "show what is cut",
    },
    {
      ...{ key: "a", choice: "approve", short: isFiles ? "apply all" : "approve once" },
      long: isFiles
        ? "write all of it into your folder, flagged files too"
        : "let exactly this happen, once",
    },
    {
      ...{ key: "f", choice: "files", short: "file by file" },
      long: "go through the files: y yes, n no, h hunk by hunk, q stop and write nothing",
    },
    {
      ...{ key: "e", choice: "edit", short: "edit" },
      long: "change the arguments in your editor; what they become is a new card, which asks you again",
    },
    {
      ...{ key: "r", choice: "reject", short: "reject" },
      long: isFiles
        ? "write nothing; the changes are kept for 7 days; you may say why"
        : "it does not happen; you may say why",
    },
    {
      ...{ key: "g", choice: "grant", short: "grant…" },
      long: "say yes, and remember it for calls that look like this",
    },
    {
      ...{ key: "s", choice: "stop", short: "STOP" },
      long: "freeze every machine of yours, now; nothing is written",
    },
  ];
  return all.filter(({ choice }) => card.choices.includes(choice));
}

export function drawKeys(card: Card): Line {
  const isViewable = card.sections.length > 0;
  const keys = keysOf(card).filter(({ choice }) => choice !== "view" || isViewable);
  const shorts = [...keys.map(({ key, short }) => `[${key}] ${short}`), "[?] more"];
  return line(`  ${shorts.join("  ")}`, "bold", 2);
}

export function drawHelp(card: Card): readonly Line[] {
  return [
    ...keysOf(card).map(({ key, long }) => line(`  ${key}  ${long}`, undefined, 5)),
    line("  q  reject without a word"),
    line("  ↑ ↓ space, Home, End  see more of the card"),
    line(""),
    line(`  envelope sha256 ${card.digest}`, "dim", 5),
  ];
}
