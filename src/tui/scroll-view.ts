/** A window on lines: which rows are on the screen, and how far a person has seen. */
import { wrapLine } from "./line.ts";
import type { Line } from "./line.ts";

export interface LineSource {
  readonly count: number;
  readonly at: (index: number) => Line;
}

export function sourceOf(lines: readonly Line[]): LineSource {
  return { count: lines.length, at: (index) => lines[index] ?? { spans: [] } };
}

/** A place between rows: a line, and a row of it. */
interface Place {
  readonly line: number;
  readonly row: number;
}

export class ScrollView {
  source: LineSource;
  #top: Place = { line: 0, row: 0 };
  #columns = 80;
  #rows = 24;
  #seen = 0;

  constructor(source: LineSource) {
    this.source = source;
  }

  /** The rows on the screen, which counts as having seen them. */
  draw(columns: number, rows: number): readonly Line[] {
    [this.#columns, this.#rows] = [columns, rows];
    this.#top = this.#earlier(this.#top, this.#lastTop());
    const drawn: Line[] = [];
    let { line, row } = this.#top;
    for (; line < this.source.count && drawn.length < rows; line++, row = 0) {
      const all = this.#wrap(line).slice(row);
      const shown = all.slice(0, rows - drawn.length);
      drawn.push(...shown);
      if (shown.length === all.length) this.#seen = Math.max(this.#seen, line + 1);
    }
    return drawn;
  }

  /** Lines from the beginning that were on the screen, or were jumped over to see later ones. */
  get seen(): number {
    return this.#seen;
  }

  get isSeen(): boolean {
    return this.#seen >= this.source.count;
  }

  /** Lines that are not yet seen. */
  get unseen(): number {
    return this.source.count - this.#seen;
  }

  /** Takes a key that scrolls; false for any other. */
  scroll(key: string): boolean {
    const page = Math.max(1, this.#rows - 1);
    const moves: Readonly<Record<string, number>> = {
      up: -1,
      down: 1,
      k: -1,
      j: 1,
      "page-up": -page,
      "page-down": page,
      " ": page,
      home: -Infinity,
      end: Infinity,
    };
    const by = Object.hasOwn(moves, key) ? moves[key] : undefined;
    if (by === undefined) return false;
    if (by === -Infinity) this.#top = { line: 0, row: 0 };
    else if (by === Infinity) this.#top = this.#lastTop();
    else this.#top = this.#move(this.#top, by);
    return true;
  }

  /** Everything counts as seen, as where it was printed whole. */
  markSeen(): void {
    this.#seen = this.source.count;
  }

  #wrap(line: number): readonly Line[] {
    return wrapLine(this.source.at(line), this.#columns);
  }

  /** The first row of the last screen. */
  #lastTop(): Place {
    return this.#move({ line: this.source.count, row: 0 }, -this.#rows);
  }

  #move({ line, row }: Place, by: number): Place {
    let [at, target] = [line, row + by];
    while (target < 0 && at > 0) {
      at -= 1;
      target += this.#wrap(at).length;
    }
    for (; at < this.source.count; at++) {
      const height = this.#wrap(at).length;
      if (target < height) break;
      target -= height;
    }
    return { line: at, row: at >= this.source.count ? 0 : Math.max(0, target) };
  }

  #earlier(one: Place, other: Place): Place {
    const isFirst = one.line < other.line || (one.line === other.line && one.row < other.row);
    return isFirst ? one : other;
  }
}
