/** File by file, and in a file hunk by hunk: only what got a yes is in the answer. */
import { filesOf } from "../runtime/values.ts";
import type { Card, FileSection } from "../runtime/values.ts";
import type { Answer } from "./answer.ts";
import { confirm } from "./confirm.ts";
import type { Dialogue, View } from "./dialogue.ts";
import { drawDiff, drawFileHead } from "./diff-lines.ts";
import { drawSection, exactPathOf } from "./document.ts";
import type { DocumentOptions } from "./document.ts";
import { line } from "./line.ts";
import type { Line } from "./line.ts";
import { ScrollView, sourceOf } from "./scroll-view.ts";
import { loadColours, noColours } from "./syntax-colour.ts";

/** `stop`: write nothing at all; `gone`: nobody is there any more. */
type FileAnswer = "yes" | "no" | "stop" | "gone" | readonly number[];

const stopKeys = new Set(["q", "ctrl-c", "ctrl-d"]);

/** Undefined: thought better of it, back to the card. */
export async function askFiles(
  dialogue: Dialogue,
  card: Card,
  options: DocumentOptions & { readonly head: View["head"] },
): Promise<Answer | undefined> {
  const files = filesOf(card);
  const paths: string[] = [];
  // a path may be called like anything an object has
  const hunks = Object.create(null) as Record<string, readonly number[]>;
  for (const [at, file] of files.entries()) {
    const asker = new FileAsker(dialogue, file, { ...options, place: `${at + 1}/${files.length}` });
    const answer = await asker.ask();
    if (answer === "gone") return { kind: "no-answer" };
    if (answer === "stop") return { kind: "reject", reason: "", freeze: false };
    if (answer === "no") continue;
    paths.push(exactPathOf(file));
    if (answer !== "yes") hunks[exactPathOf(file)] = answer;
  }
  if (paths.length === 0) return { kind: "reject", reason: "", freeze: false };
  const chosen: View = {
    head: options.head,
    body: new ScrollView(
      sourceOf(files.filter((file) => paths.includes(exactPathOf(file))).map(drawFileHead)),
    ),
    foot: () => [],
  };
  const confirmed = await confirm(dialogue, card, chosen);
  if (confirmed === "gone") return { kind: "no-answer" };
  if (confirmed === "back") return undefined;
  return { kind: "choose", choice: { paths, hunks: { ...hunks } } };
}

class FileAsker {
  readonly #dialogue: Dialogue;
  readonly #file: FileSection;
  readonly #options: DocumentOptions & { readonly head: View["head"]; readonly place: string };

  constructor(
    dialogue: Dialogue,
    file: FileSection,
    options: DocumentOptions & { readonly head: View["head"]; readonly place: string },
  ) {
    this.#dialogue = dialogue;
    this.#file = file;
    this.#options = options;
  }

  async ask(): Promise<FileAnswer> {
    const { place } = this.#options;
    const hasHunks = this.#file.letter === "M" && this.#file.hasDiff;
    const keys = `[y] yes  [n] no  ${hasHunks ? "[h] hunk by hunk  " : ""}[q] stop, write nothing`;
    const view = this.#view(await drawSection(this.#file, this.#options), () => [
      line(`  ${place}  ${keys}`, "bold"),
    ]);
    for (;;) {
      await this.#dialogue.draw(view);
      const key = await this.#dialogue.nextKey();
      if (key === undefined || key.name === "ctrl-z") return "gone";
      if (key.name === "y") return "yes";
      if (key.name === "n") return "no";
      if (stopKeys.has(key.name)) return "stop";
      if (key.name === "h" && hasHunks) {
        const chosen = await this.#askHunks();
        if (chosen !== "back") return chosen;
      } else view.body.scroll(key.name);
    }
  }

  /** `back`: there is nothing to choose from, or the person thought better of it. */
  async #askHunks(): Promise<FileAnswer | "back"> {
    const { diffOf, isColoured, place } = this.#options;
    const diff = await diffOf(exactPathOf(this.#file));
    if (diff.kind !== "hunks" || diff.hunks.length === 0) return "back";
    const colour = isColoured ? await loadColours(this.#file.path) : noColours;
    const chosen: number[] = [];
    for (const [at, hunk] of diff.hunks.entries()) {
      const source = drawDiff({ kind: "hunks", hunks: [hunk] }, colour);
      const heading = drawFileHead(this.#file);
      const view = this.#view(
        { count: source.count + 1, at: (n) => (n === 0 ? heading : source.at(n - 1)) },
        () => {
          const keys = view.body.isSeen
            ? "[y] yes  [n] no  [q] back to the file"
            : "↓ to its end, then [y] yes  [n] no  [q] back";
          return [line(`  ${place}  hunk ${at + 1}/${diff.hunks.length}  ${keys}`, "bold")];
        },
      );
      const answer = await this.#askHunk(view);
      if (answer === "gone" || answer === "back") return answer;
      if (answer === "yes") chosen.push(at);
    }
    if (chosen.length === 0) return "no";
    return chosen.length === diff.hunks.length ? "yes" : chosen;
  }

  async #askHunk(view: View): Promise<"yes" | "no" | "back" | "gone"> {
    for (;;) {
      await this.#dialogue.draw(view);
      const key = await this.#dialogue.nextKey();
      if (key === undefined || key.name === "ctrl-z") return "gone";
      if (key.name === "y" && view.body.isSeen) return "yes";
      if (key.name === "n") return "no";
      if (stopKeys.has(key.name) || key.name === "escape") return "back";
      view.body.scroll(key.name);
    }
  }

  #view(source: ScrollView["source"], foot: () => readonly Line[]): View {
    return { head: this.#options.head, body: new ScrollView(source), foot };
  }
}
