/**
 * A change as unified diff text for a terminal. The guest wrote it, so nothing in it may move the cursor,
 * turn the writing direction or hide; and it is bounded, with a last line that says what was left out.
 */
import { escapeText } from "../base/escape-text.ts";
import type { BlobFolder } from "./blob-folder.ts";
import type { Change, ChangeState } from "./change-set.ts";
import { diffFile } from "./file-diff.ts";
import { renderBytes } from "./left-out.ts";
import type { DiffHunk, DiffLine } from "./line-diff.ts";

export interface UnifiedDiffOptions {
  /** most lines of hunks @default 2000 */
  readonly linesMax?: number;
  /** longest line in characters @default 1000 */
  readonly columnsMax?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The lines of the diff, without line ends. */
export async function renderUnifiedDiff(
  change: Change,
  blobs: BlobFolder,
  options: UnifiedDiffOptions = {},
): Promise<readonly string[]> {
  options.signal?.throwIfAborted();
  const head = renderHead(change);
  if (change.conflict !== null) return [...head, `conflict: ${escapeText(change.conflict)}`];
  const diff = await diffFile(change, blobs);
  const sizes = `${describeState(change.before)} → ${describeState(change.after)}`;
  if (diff.kind === "binary") return [...head, `binary: ${sizes}`];
  if (diff.kind === "too-large") return [...head, `too large to show: ${sizes}`];
  const { columnsMax = 1000, linesMax = 2000 } = options;
  const body = diff.hunks.flatMap((hunk) => renderHunk(hunk, columnsMax));
  if (body.length <= linesMax) return [...head, ...body];
  return [...head, ...body.slice(0, linesMax), `… ${body.length - linesMax} more lines`];
}

function renderHead({ path, before, after }: Change): string[] {
  const name = escapeText(path);
  const head = [
    before === null ? "--- /dev/null" : `--- a/${name}`,
    after === null ? "+++ /dev/null" : `+++ b/${name}`,
  ];
  const was = before?.kind === "file" && before.executable;
  const is = after?.kind === "file" && after.executable;
  if (was !== is && after?.kind === "file")
    head.push(is ? "now executable" : "no longer executable");
  return head;
}

function describeState(state: ChangeState | null): string {
  if (state === null) return "nothing";
  return state.kind === "file" ? renderBytes(state.size) : state.kind;
}

const signs = { context: " ", added: "+", removed: "-" } as const;

function renderHunk(hunk: DiffHunk, columnsMax: number): readonly string[] {
  const { oldStart, oldLines, newStart, newLines, lines } = hunk;
  return [
    `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
    ...lines.flatMap((line) => renderLine(line, columnsMax)),
  ];
}

function renderLine({ kind, text, hasNoNewline }: DiffLine, columnsMax: number): readonly string[] {
  const room = columnsMax - 1;
  // the end of a Windows line is told apart, because a change of it is a change
  const shown = signs[kind] + escapeText(text.slice(0, room), { keep: "\t" });
  const hidden = text.length - room;
  const line = hidden > 0 ? `${shown} … ${hidden} more characters` : shown;
  return hasNoNewline ? [line, "\\ No newline at end of file"] : [line];
}
