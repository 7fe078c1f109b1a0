/** Where in a file something is, as editors count: line and column from 1, and the line with a caret. */

export interface SourcePlace {
  readonly line: number;
  /** in characters */
  readonly column: number;
  /** the line, and below it a caret under the place */
  readonly excerpt: string;
}

/** most characters of a line shown in an excerpt */
const excerptMax = 100;

/** The place of a position in `text`, counted in UTF-16 units. */
export function placeOf(text: string, position: number): SourcePlace {
  const before = text.slice(0, position);
  const start = before.lastIndexOf("\n") + 1;
  const end = text.indexOf("\n", start);
  const line = text.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  const from = Math.max(0, position - start - excerptMax / 2);
  // a tab stays a tab, so that the caret stands where the line's own columns put it
  const indent = line.slice(from, position - start).replace(/[^\t]/gu, " ");
  return {
    line: before.split("\n").length,
    column: countCharacters(before.slice(start)) + 1,
    excerpt: `${line.slice(from, from + excerptMax)}\n${indent}^`,
  };
}

/** The engine counts bytes of UTF-8; JavaScript counts UTF-16 units. */
export function positionOfByte(text: string, byte: number): number {
  return Buffer.from(text, "utf8").subarray(0, byte).toString("utf8").length;
}

function countCharacters(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
