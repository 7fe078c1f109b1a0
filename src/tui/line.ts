/** Text with colours as data, and its way onto rows of so many columns: nothing is lost by wrapping. */
import type { Paint, Style } from "./style.ts";

export interface Span {
  readonly text: string;
  readonly paint?: Paint | undefined;
}

export interface Line {
  readonly spans: readonly Span[];
  /** columns that continuation rows are set in @default 4 */
  readonly indent?: number;
}

export function line(text: string, paint?: Paint, indent?: number): Line {
  return { spans: [{ text, paint }], ...(indent === undefined ? {} : { indent }) };
}

export const emptyLine: Line = { spans: [] };

/** letters and signs that every terminal shows in one column */
const narrow =
  /^[\u0020-\u007e\u00a1-\u02ff\u0370-\u058f\u2010-\u2027\u2190-\u21ff\u2500-\u257f⚑✗−]$/u;

/** Columns of a text. Where terminals disagree, the larger number, so that a row is never too long. */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += narrow.test(character) ? 1 : 2;
  return width;
}

export function padTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

/** The rows of a line, each as wide as the screen at most. */
export function wrapLine({ spans, indent = 4 }: Line, columns: number): readonly Line[] {
  const rows: Line[] = [];
  let row: Span[] = [];
  let room = columns;
  for (const { text, paint } of spans) {
    let rest = text;
    while (widthOf(rest) > room) {
      const part = takeColumns(rest, room);
      row.push({ text: part, paint });
      rest = rest.slice(part.length);
      rows.push({ spans: row });
      row = [{ text: " ".repeat(indent) }];
      room = columns - indent;
    }
    row.push({ text: rest, paint });
    room -= widthOf(rest);
  }
  return [...rows, { spans: row }];
}

/** As much as fits, to the last space if that leaves most of the row filled. */
function takeColumns(text: string, columns: number): string {
  // no text has fewer columns than characters, but for pairs of surrogates
  const head = text.slice(0, columns * 2 + 1);
  let [used, end] = [0, 0];
  for (const character of head) {
    used += widthOf(character);
    if (used > columns) break;
    end += character.length;
  }
  const space = text.lastIndexOf(" ", end - 1) + 1;
  return text.slice(0, space > end * 0.6 ? space : end);
}

export function paintLine({ spans }: Line, style: Style): string {
  return spans.map(({ text, paint }) => (paint === undefined ? text : style[paint](text))).join("");
}
