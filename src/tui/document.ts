/**
 * Everything a card has sections for, as one text to scroll through: what was cut, then the difference of
 * each file, fetched when it is about to come onto the screen.
 */
import type { Card, FileDiff, FileSection, TextSection } from "../runtime/values.ts";
import { drawDiff, drawFileHead } from "./diff-lines.ts";
import { emptyLine, line } from "./line.ts";
import type { Line } from "./line.ts";
import { sourceOf } from "./scroll-view.ts";
import type { LineSource } from "./scroll-view.ts";
import { loadColours, noColours } from "./syntax-colour.ts";

export type DiffOf = (exactPath: string) => Promise<FileDiff>;

export interface DocumentOptions {
  readonly diffOf: DiffOf;
  readonly isColoured: boolean;
}

interface Part {
  readonly id: string;
  /** line of the document it starts at */
  readonly start: number;
  readonly source: LineSource;
}

/** Lines of the sections that were fetched so far, in the order of the card. */
export class CardDocument implements LineSource {
  readonly #sections: readonly (TextSection | FileSection)[];
  readonly #options: DocumentOptions;
  readonly #parts: Part[] = [];

  constructor(sections: Card["sections"], options: DocumentOptions) {
    this.#sections = [
      ...sections.filter(({ kind }) => kind === "text"),
      ...sections.filter(({ kind }) => kind === "file"),
    ];
    this.#options = options;
  }

  get count(): number {
    const last = this.#parts.at(-1);
    return last === undefined ? 0 : last.start + last.source.count;
  }

  get isWhole(): boolean {
    return this.#parts.length === this.#sections.length;
  }

  at(index: number): Line {
    const part = this.#parts.findLast(({ start }) => start <= index);
    return part?.source.at(index - part.start) ?? emptyLine;
  }

  /** Fetches sections until there are so many lines, or no more sections. */
  async fetch(lines: number): Promise<void> {
    while (this.count < lines && !this.isWhole) {
      const section = this.#sections[this.#parts.length];
      if (section === undefined) return;
      const source = await drawSection(section, this.#options);
      this.#parts.push({ id: section.id, start: this.count, source });
    }
  }

  /** Sections whose last line is before this one. */
  endedBefore(index: number): readonly string[] {
    return this.#parts
      .filter(({ start, source }) => start + source.count <= index)
      .map(({ id }) => id);
  }
}

export async function drawSection(
  section: TextSection | FileSection,
  { diffOf, isColoured }: DocumentOptions,
): Promise<LineSource> {
  const body =
    section.kind === "text"
      ? sourceOf(section.lines.map((text) => line(text)))
      : await drawFile(section, diffOf, isColoured);
  const head =
    section.kind === "text" ? line(`── ${section.title}`, "bold") : drawFileHead(section);
  return {
    count: body.count + 2,
    at: (index) => {
      if (index === 0) return head;
      return index <= body.count ? body.at(index - 1) : emptyLine;
    },
  };
}

async function drawFile(
  file: FileSection,
  diffOf: DiffOf,
  isColoured: boolean,
): Promise<LineSource> {
  if (!file.hasDiff && file.conflict !== null) return sourceOf([]);
  const [diff, colour] = await Promise.all([
    diffOf(exactPathOf(file)),
    isColoured ? loadColours(file.path) : noColours,
  ]);
  return drawDiff(diff, colour);
}

/** The path as it is, for whoever has the contents; `path` is how a person reads it. */
export function exactPathOf({ exactPath }: Pick<FileSection, "exactPath">): string {
  return JSON.parse(exactPath) as string;
}
