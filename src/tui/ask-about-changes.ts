/** Asks about a change set, key by key: all, file by file, a closer look, or no. No answer is no. */
import { escapeText } from "../base/escape-text.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { ApplyChoice, Change, ChangeSet } from "../runtime/values.ts";
import type { Keyboard } from "./keys.ts";
import type { Style } from "./style.ts";
import { paintDiff } from "./paint-diff.ts";

export interface Screen {
  readonly stderr: { readonly write: (text: string) => unknown };
  readonly style: Style;
}

/** r, q, Ctrl-C, Ctrl-D */
const noKeys = new Set(["r", "q", "\u0003", "\u0004"]);
const menu = "  [v] view  [a] apply all  [f] file by file  [r] reject  [?] more";
const help = [
  "  v  show the difference of every file",
  "  a  write all of it into your folder, flagged files too",
  "  f  go through the files: y yes, n no, v view, q stop and write nothing",
  "  r  write nothing; the changes are kept for 7 days",
];

/** Raises nothing for a person's sake: the time running out, Ctrl-C and a closed terminal are all no. */
export async function askAboutChanges(
  screen: Screen,
  lumina: LuminaGuard,
  set: ChangeSet,
  keyboard: Keyboard,
  signal?: AbortSignal,
): Promise<ApplyChoice | "rejected"> {
  const endsAt = performance.now() + lumina.config.approvalTimeoutS * 1000;
  const nextKey = (): Promise<string | undefined> => {
    return keyboard.next(Math.max(0, endsAt - performance.now()), signal);
  };
  const show = (text: string): void => void screen.stderr.write(`${text}\n`);
  const view = async (change: Change): Promise<void> => {
    for (const line of await lumina.changes.diff(set, change))
      show(`  ${paintDiff(line, screen.style)}`);
  };
  show(menu);
  for (;;) {
    const key = await nextKey();
    switch (key) {
      case "a":
        return { kind: "all" };
      case "f":
        return askFileByFile(set, { nextKey, show, view });
      case "v":
        for (const change of set.changes) await view(change);
        show(menu);
        break;
      case "?":
        for (const line of help) show(line);
        break;
      default:
        if (key === undefined) show("  no answer: that is a no");
        if (key === undefined || noKeys.has(key)) return "rejected";
        show(menu);
    }
  }
}

interface Dialogue {
  readonly nextKey: () => Promise<string | undefined>;
  readonly show: (text: string) => void;
  readonly view: (change: Change) => Promise<void>;
}

async function askFileByFile(
  set: ChangeSet,
  { nextKey, show, view }: Dialogue,
): Promise<ApplyChoice | "rejected"> {
  const paths: string[] = [];
  for (const [index, change] of set.changes.entries()) {
    const flags = change.flags.map((flag) => `  ⚑ ${flag}`).join("");
    show(
      `  ${index + 1}/${set.changes.length}  ${escapeText(change.path)}${flags}   [y] yes  [n] no  [v] view  [q] stop`,
    );
    let key = await nextKey();
    while (key === "v") {
      await view(change);
      key = await nextKey();
    }
    if (key === "y") paths.push(change.path);
    else if (key !== "n") return "rejected";
  }
  return paths.length === 0 ? "rejected" : { kind: "paths", paths };
}
