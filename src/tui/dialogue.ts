/**
 * One question on a terminal at a time: a head, a window on lines, a foot with the keys. Waits for keys,
 * keeps the clock going, draws anew when the terminal changes, and knows when nobody can answer any more.
 */
import type { Key } from "./key-decoder.ts";
import type { Keyboard } from "./keys.ts";
import { paintLine, wrapLine } from "./line.ts";
import type { Line } from "./line.ts";
import type { Screen } from "./screen.ts";
import type { ScrollView } from "./scroll-view.ts";
import { drawRows, enterScreen, leaveScreen } from "./terminal-modes.ts";

/** What is on the screen. */
export interface View {
  /** with the seconds that are left */
  readonly head: (leftS: number) => readonly Line[];
  readonly body: ScrollView;
  /** below the body, drawn after it: it may say what of the body was not seen */
  readonly foot: () => readonly Line[];
  /** Called before the body is drawn, for what is fetched when it is needed. */
  readonly prepare?: (rows: number) => Promise<void>;
}

export interface DialogueOptions {
  readonly keyboard: Keyboard;
  readonly screen: Screen;
  /** in `ms` */
  readonly now: () => number;
  /** when the card answers itself with no; on the clock of `now` */
  readonly endsAt: number;
  readonly signal?: AbortSignal | undefined;
}

/** how often the clock is drawn, in `ms` */
const tickMs = 1000;
/** least of a body on any screen */
const bodyRowsMin = 3;

export class Dialogue {
  readonly screen: Screen;
  readonly #options: DialogueOptions;
  readonly #resize: Disposable;
  #view: View | undefined;
  #isResized = false;
  #wake: AbortController | undefined;
  #isEntered = false;

  constructor(options: DialogueOptions) {
    this.#options = options;
    this.screen = options.screen;
    this.#resize = options.screen.onResize(() => {
      this.#isResized = true;
      this.#wake?.abort();
    });
  }

  /** Shows a view for the first time: what was typed before it is dropped. */
  async open(view: View): Promise<void> {
    if (!this.screen.isDumb && !this.#isEntered) {
      this.screen.write(enterScreen);
      this.#isEntered = true;
    }
    await this.draw(view);
    this.#options.keyboard.settle();
  }

  /** Shows a view because of a key: the next key may come at once. */
  async draw(view: View): Promise<void> {
    const isNew = this.#view?.body !== view.body;
    this.#view = view;
    if (this.screen.isDumb) await this.#print(view, isNew);
    else await this.#drawRows(view);
  }

  /** The next key for this view; undefined when no key will come any more: a no. */
  async nextKey(options: { readonly text?: boolean } = {}): Promise<Key | undefined> {
    const { keyboard, now, endsAt, signal } = this.#options;
    for (;;) {
      const leftMs = endsAt - now();
      if (leftMs <= 0 || keyboard.isGone() || signal?.aborted === true) return undefined;
      this.#wake = new AbortController();
      const woken = this.#wake.signal;
      const key = await keyboard.next(Math.min(leftMs, tickMs), {
        ...options,
        signal: signal === undefined ? woken : AbortSignal.any([signal, woken]),
      });
      if (key !== undefined) return key;
      if (this.#view === undefined || this.screen.isDumb) continue;
      await this.#drawRows(this.#view);
      // keys that were meant for what stood there before are dropped
      if (this.#isResized) keyboard.settle();
      this.#isResized = false;
    }
  }

  /** Back to a view without showing it anew, where lines are printed and nothing is drawn over. */
  forget(view: View): void {
    this.#view = view;
  }

  /** Leaves the terminal to another program, which ends with the signal: then no key will come any more. */
  async lend(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { keyboard, now, endsAt, signal } = this.#options;
    this.#leave();
    const takeBack = keyboard.lend();
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), Math.max(0, endsAt - now()));
    try {
      await run(signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]));
    } finally {
      clearTimeout(timer);
      takeBack();
    }
    if (this.#view !== undefined) await this.open(this.#view);
  }

  /** Gives the terminal back. */
  close(): void {
    this.#resize[Symbol.dispose]();
    this.#leave();
  }

  #leave(): void {
    if (this.#isEntered) this.screen.write(leaveScreen);
    this.#isEntered = false;
  }

  #leftS(): number {
    return (this.#options.endsAt - this.#options.now()) / 1000;
  }

  async #drawRows(view: View): Promise<void> {
    const [columns, rows] = [this.screen.columns(), this.screen.rows()];
    const wrap = (lines: readonly Line[]): readonly Line[] =>
      lines.flatMap((line) => wrapLine(line, columns));
    const head = wrap(view.head(this.#leftS()));
    const room = (foot: readonly Line[]): number =>
      Math.max(bodyRowsMin, rows - head.length - foot.length);
    const assumed = wrap(view.foot());
    await view.prepare?.(room(assumed));
    let body = view.body.draw(columns, room(assumed));
    // what was just seen may have changed the foot
    const foot = wrap(view.foot());
    if (foot.length > assumed.length) body = view.body.draw(columns, room(foot));
    const drawn = [...head, ...body, ...foot].slice(0, rows);
    this.screen.write(drawRows(drawn.map((row) => paintLine(row, this.screen.style))));
  }

  /** On a terminal without a cursor everything is printed, and scrolls by. */
  async #print(view: View, isNew: boolean): Promise<void> {
    const columns = this.screen.columns();
    const print = (lines: readonly Line[]): void => {
      for (const row of lines.flatMap((line) => wrapLine(line, columns))) {
        this.screen.write(`${paintLine(row, this.screen.style).trimEnd()}\n`);
      }
    };
    if (isNew) {
      await view.prepare?.(Infinity);
      const { source } = view.body;
      print(view.head(this.#leftS()));
      for (let at = 0; at < source.count; at++) print([source.at(at)]);
      view.body.markSeen();
    }
    print(view.foot());
  }
}
