/**
 * A card on a terminal, answered by a person's keys. Yes counts only when the whole card was on the screen
 * and what it cuts was opened; silence, a closed terminal and a stopped program are no.
 */
import type { Card, CardChoice } from "../runtime/values.ts";
import type { CallEdit } from "../runtime/cliff/edit-call.ts";
import type { Answer } from "./answer.ts";
import { askEdit } from "./ask-edit.ts";
import { askFiles } from "./ask-files.ts";
import { askGrant } from "./ask-grant.ts";
import { drawBody, drawHead } from "./card-lines.ts";
import { confirm } from "./confirm.ts";
import { Dialogue } from "./dialogue.ts";
import type { View } from "./dialogue.ts";
import { CardDocument } from "./document.ts";
import type { DiffOf } from "./document.ts";
import { drawHelp, drawKeys } from "./key-help.ts";
import type { Keyboard } from "./keys.ts";
import { emptyLine, line, paintLine } from "./line.ts";
import type { Line } from "./line.ts";
import { readLine } from "./read-line.ts";
import type { Screen } from "./screen.ts";
import { ScrollView, sourceOf } from "./scroll-view.ts";
import { showDocument } from "./show-document.ts";
import type { Pager } from "./show-document.ts";
import { describeAnswer } from "./summary.ts";

export interface AskOptions {
  readonly keyboard: Keyboard;
  readonly screen: Screen;
  readonly diffOf: DiffOf;
  /** the person's own pager, for what [v] shows; absent: shown here */
  readonly pager?: Pager | undefined;
  /** for what [e] opens; it is offered where the card says so too */
  readonly edit?: CallEdit | undefined;
  /** in `ms` @default performance.now */
  readonly now?: () => number;
  /** when the card answers itself with no; on the clock of `now` */
  readonly expiresAt: number;
  readonly signal?: AbortSignal | undefined;
}

const noKeys = new Set(["q", "ctrl-c", "ctrl-d"]);
/** longest reason, in characters */
const reasonMax = 500;

export async function askOnTerminal(card: Card, options: AskOptions): Promise<Answer> {
  const { now = () => performance.now(), expiresAt: endsAt, screen } = options;
  const dialogue = new Dialogue({ ...options, now, endsAt });
  const asker = new CardAsker(card, dialogue, options);
  const answer = await asker.ask().finally(() => dialogue.close());
  for (const each of describeAnswer(card, answer)) {
    screen.write(`${paintLine(each, screen.style)}\n`);
  }
  return answer;
}

class CardAsker {
  readonly #card: Card;
  readonly #dialogue: Dialogue;
  readonly #options: AskOptions;
  readonly #view: View;
  readonly #body: ScrollView;
  readonly #opened = new Set<string>();
  #columns: number;
  /** of the arguments, as they were saved last */
  #edited: string | undefined;
  /** said in the foot until the next key */
  #notice: Line | undefined;

  constructor(card: Card, dialogue: Dialogue, options: AskOptions) {
    this.#card = card;
    this.#dialogue = dialogue;
    this.#options = options;
    this.#columns = dialogue.screen.columns();
    this.#body = new ScrollView(sourceOf(drawBody(card, this.#columns)));
    this.#view = { head: this.#head, body: this.#body, foot: this.#foot, prepare: this.#fit };
  }

  async ask(): Promise<Answer> {
    await this.#dialogue.open(this.#view);
    for (;;) {
      const key = await this.#dialogue.nextKey();
      this.#notice = undefined;
      if (key === undefined) return { kind: "no-answer" };
      const answer = await this.#take(key.name);
      if (answer !== undefined) return answer;
      await this.#dialogue.draw(this.#view);
    }
  }

  #take(key: string): Promise<Answer | undefined> | Answer | undefined {
    if (noKeys.has(key)) return { kind: "reject", reason: "", freeze: false };
    if (key === "ctrl-z") return { kind: "no-answer" };
    const keys: Readonly<Record<string, readonly [CardChoice, () => Promise<Answer | undefined>]>> =
      {
        v: ["view", () => this.#open()],
        a: ["approve", () => this.#approve()],
        e: ["edit", () => this.#edit()],
        f: ["files", () => this.#askFiles()],
        r: ["reject", () => this.#reject()],
        g: ["grant", () => this.#grant()],
        s: ["stop", () => Promise.resolve({ kind: "stop" })],
      };
    const [choice, act] = (Object.hasOwn(keys, key) ? keys[key] : undefined) ?? [];
    if (choice !== undefined && this.#card.choices.includes(choice)) return act?.();
    if (key === "?") return this.#help();
    this.#body.scroll(key);
    return undefined;
  }

  #askFiles(): Promise<Answer | undefined> {
    return askFiles(this.#dialogue, this.#card, { ...this.#documentOptions(), head: this.#head });
  }

  async #approve(): Promise<Answer | undefined> {
    if (this.#isLocked()) return undefined;
    const confirmed = await confirm(this.#dialogue, this.#card, this.#view);
    if (confirmed === "gone") return { kind: "no-answer" };
    return confirmed === "yes" ? { kind: "approve" } : undefined;
  }

  async #grant(): Promise<Answer | undefined> {
    return this.#isLocked() ? undefined : askGrant(this.#dialogue, this.#card, this.#head);
  }

  async #edit(): Promise<Answer | undefined> {
    const { edit } = this.#options;
    if (edit === undefined) return undefined;
    const { text, edited } = await askEdit(this.#dialogue, edit, this.#edited ?? edit.text);
    this.#edited = text;
    if (edited.kind === "changed") return { kind: "edit", edit: edited.edit };
    const said =
      edited.kind === "same" ? "nothing was changed" : `${edited.why}: [e] opens it again`;
    this.#notice = line(`  ${said}`, "yellow");
    return undefined;
  }

  async #reject(): Promise<Answer | undefined> {
    let freeze = false;
    const canFreeze = this.#card.choices.includes("freeze");
    const typed = await readLine(this.#dialogue, {
      view: this.#view,
      explain: () => [
        line("  why not? it is told to who asked; Enter alone gives no reason; Esc goes back"),
        ...(canFreeze ? [line(`  [Tab] freeze its machine too: ${freeze ? "yes" : "no"}`)] : []),
      ],
      charactersMax: reasonMax,
      onKey: (name) => {
        if (name === "tab" && canFreeze) freeze = !freeze;
      },
    });
    if (typed === "gone") return { kind: "no-answer" };
    return typed === "back" ? undefined : { kind: "reject", reason: typed.text, freeze };
  }

  async #open(): Promise<Answer | undefined> {
    const document = new CardDocument(this.#card.sections, this.#documentOptions());
    const { pager } = this.#options;
    const end = await showDocument(this.#dialogue, document, { head: this.#head, pager });
    for (const id of end.opened) this.#opened.add(id);
    return this.#back(end.isGone);
  }

  async #help(): Promise<Answer | undefined> {
    const view: View = {
      head: this.#head,
      body: new ScrollView(sourceOf(drawHelp(this.#card))),
      foot: () => [line("  any key goes back to the card", "dim")],
    };
    await this.#dialogue.draw(view);
    if (this.#dialogue.screen.isDumb) return this.#back(false);
    const key = await this.#dialogue.nextKey();
    return this.#back(key === undefined || key.name === "ctrl-z");
  }

  /** Where lines are printed the card has been shown, and only its keys are printed again. */
  #back(isGone: boolean): Answer | undefined {
    this.#dialogue.forget(this.#view);
    return isGone ? { kind: "no-answer" } : undefined;
  }

  #isLocked(): boolean {
    const lock = this.#lock();
    this.#notice = lock === undefined ? undefined : line(`  not yet: ${lock}`, "yellow");
    return lock !== undefined;
  }

  /** What a person has to see before a yes counts. */
  #lock(): string | undefined {
    if (!this.#body.isSeen) {
      const count = this.#body.unseen;
      return `${count} more ${count === 1 ? "line" : "lines"} of the card below, ↓ or space`;
    }
    const closed = this.#card.mustOpen.filter((id) => !this.#opened.has(id));
    const names = this.#card.sections
      .filter((section) => section.kind === "text" && closed.includes(section.id))
      .map((section) => (section.kind === "text" ? section.title : ""));
    return names.length === 0 ? undefined : `[v] shows all of ${names.join(", ")}; go to its end`;
  }

  readonly #head = (leftS: number): readonly Line[] =>
    drawHead(this.#card, this.#dialogue.screen.columns(), leftS);

  readonly #foot = (): readonly Line[] => {
    const lock = this.#lock();
    const status = lock === undefined ? emptyLine : line(`  approve is locked: ${lock}`, "yellow");
    return [this.#notice ?? status, drawKeys(this.#card)];
  };

  /** Boxes are as wide as the screen is now. */
  readonly #fit = (): Promise<void> => {
    const columns = this.#dialogue.screen.columns();
    if (columns !== this.#columns) {
      this.#columns = columns;
      this.#body.source = sourceOf(drawBody(this.#card, columns));
    }
    return Promise.resolve();
  };

  #documentOptions(): { readonly diffOf: AskOptions["diffOf"]; readonly isColoured: boolean } {
    return { diffOf: this.#options.diffOf, isColoured: this.#options.screen.isColoured };
  }
}
