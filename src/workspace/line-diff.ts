/**
 * Two texts compared line by line, within bounds: a hostile pair of files costs a second at most and
 * then has no line diff.
 */
import { structuredPatch, type StructuredPatchHunk } from "diff";

export interface LineDiffLimits {
  /** largest text on either side in `bytes` */
  readonly textBytesMax: number;
  /** longest comparison in `ms` */
  readonly timeoutMs: number;
  /** most differing lines */
  readonly linesMax: number;
}

export const lineDiffLimits: LineDiffLimits = {
  textBytesMax: 1024 * 1024,
  timeoutMs: 1000,
  linesMax: 20_000,
};

/** The hunks, or undefined when the texts are too large or too different. */
export function diffLines(
  before: string,
  after: string,
  limits: LineDiffLimits = lineDiffLimits,
): readonly StructuredPatchHunk[] | undefined {
  if (Math.max(before.length, after.length) > limits.textBytesMax) return undefined;
  const { timeoutMs: timeout, linesMax: maxEditLength } = limits;
  if (before === "" || after === "") return wholeText(before, after, maxEditLength);
  const options = { context: 3, timeout, maxEditLength };
  return structuredPatch("", "", before, after, undefined, undefined, options)?.hunks;
}

/** A file that is new or gone is one hunk, without any search. */
function wholeText(
  before: string,
  after: string,
  linesMax: number,
): readonly StructuredPatchHunk[] | undefined {
  const text = before + after;
  if (text === "") return [];
  const mark = before === "" ? "+" : "-";
  const ended = text.endsWith("\n");
  const lines = (ended ? text.slice(0, -1) : text).split("\n").map((line) => mark + line);
  if (lines.length > linesMax) return undefined;
  const [oldLines, newLines] = before === "" ? [0, lines.length] : [lines.length, 0];
  if (!ended) lines.push("\\ No newline at end of file");
  return [
    { oldStart: before === "" ? 0 : 1, oldLines, newStart: after === "" ? 0 : 1, newLines, lines },
  ];
}

export function countLines(hunks: readonly StructuredPatchHunk[]): {
  added: number;
  removed: number;
} {
  let added = 0;
  let removed = 0;
  for (const { lines } of hunks) {
    for (const line of lines) {
      if (line.startsWith("+")) added += 1;
      else if (line.startsWith("-")) removed += 1;
    }
  }
  return { added, removed };
}
