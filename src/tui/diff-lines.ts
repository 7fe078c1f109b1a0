/** One file's difference as lines to draw. A line is escaped and coloured when it comes onto the screen. */
import { escapeText } from "../base/escape-text.ts";
import { renderBytes } from "../runtime/values.ts";
import type { DiffHunk, DiffLine, FileDiff, FileSection } from "../runtime/values.ts";
import { line } from "./line.ts";
import type { Line, Span } from "./line.ts";
import type { LineSource } from "./scroll-view.ts";
import type { ColourLine } from "./syntax-colour.ts";

/** a tab, told apart from the spaces it looks like */
const tab = "→   ";
/** colours are not worth waiting for in more lines than a megabyte has */
const colouredCharactersMax = 1_000_000;

/** The head of a file: its name, what becomes of it, and why to look. */
export function drawFileHead(file: FileSection): Line {
  const counts = drawCounts(file);
  return {
    spans: [
      { text: `── ${file.letter}  `, paint: "dim" },
      { text: file.path, paint: "bold" },
      ...(counts.length > 0 ? [{ text: "  " }, ...counts] : []),
      ...file.words.map((words): Span => ({ text: `  ${words}` })),
      ...file.flags.map((flag): Span => ({ text: `  ⚑ ${flag}`, paint: "yellow" })),
      ...(file.conflict === null
        ? []
        : [{ text: `  ✗ ${file.conflict}`, paint: "red" } satisfies Span]),
    ],
  };
}

/** `+12 −4` */
export function drawCounts({ lines }: FileSection): readonly Span[] {
  if (lines === null) return [];
  const parts: Span[] = [];
  if (lines.added > 0) parts.push({ text: `+${lines.added}`, paint: "green" });
  if (lines.added > 0 && lines.removed > 0) parts.push({ text: " " });
  if (lines.removed > 0) parts.push({ text: `−${lines.removed}`, paint: "red" });
  return parts;
}

export function drawDiff(diff: FileDiff, colour: ColourLine): LineSource {
  if (diff.kind !== "hunks") {
    const size = (bytes: number | null): string =>
      bytes === null ? "nothing" : renderBytes(bytes);
    const what = diff.kind === "binary" ? "binary" : "too large to show";
    return { count: 1, at: () => line(`${what}: ${size(diff.before)} → ${size(diff.after)}`) };
  }
  const all = diff.hunks.flatMap((hunk) => [hunk, ...hunk.lines]);
  const characters = diff.hunks.reduce(
    (sum, { lines }) => lines.reduce((most, { text }) => most + text.length, sum),
    0,
  );
  const paint = characters > colouredCharactersMax ? undefined : colour;
  return {
    count: all.length,
    at: (index) => {
      const item = all[index];
      if (item === undefined) return line("");
      return "lines" in item ? drawHunkHead(item) : drawDiffLine(item, paint);
    },
  };
}

function drawHunkHead({ oldStart, oldLines, newStart, newLines }: DiffHunk): Line {
  return line(`@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`, "cyan");
}

const signs = {
  context: { text: " " },
  added: { text: "+", paint: "green" },
  removed: { text: "-", paint: "red" },
} as const;

/** The characters of the line are those of its escaped text, whatever the colours. */
export function drawDiffLine(
  { kind, text, hasNoNewline }: DiffLine,
  colour: ColourLine | undefined,
): Line {
  const shown = escapeText(text, { keep: "\t" }).replaceAll("\t", tab);
  const painted = colour?.(shown) ?? [{ text: shown }];
  // without other colours the sign's own says which side a line is on
  const isPlain = painted.every(({ paint }) => paint === undefined);
  const sign = signs[kind];
  const body = isPlain ? [{ ...sign, text: sign.text + shown }] : [sign, ...painted];
  const end: Span[] = hasNoNewline ? [{ text: "  (no line end)", paint: "dim" }] : [];
  return { spans: [...body, ...end], indent: 6 };
}
