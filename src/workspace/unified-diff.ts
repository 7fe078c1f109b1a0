/**
 * A change as unified diff text for a terminal. The guest wrote it, so nothing in it may move the cursor,
 * turn the writing direction or hide; and it is bounded, with a last line that says what was left out.
 */
import { escapeText } from "../base/escape-text.ts";
import type { BlobFolder } from "./blob-folder.ts";
import type { Change, ChangeState } from "./change-set.ts";
import { renderBytes } from "./left-out.ts";
import { diffLines, lineDiffLimits } from "./line-diff.ts";

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
  if (change.kind === "mode") return head;
  const sizes = `${describeState(change.before)} → ${describeState(change.after)}`;
  if (change.binary) return [...head, `binary: ${sizes}`];
  if (sizeOf(change) > lineDiffLimits.textBytesMax) return [...head, `too large to show: ${sizes}`];
  const hunks = diffLines(await textOf(change.before, blobs), await textOf(change.after, blobs));
  if (hunks === undefined) return [...head, `too many differences to show: ${sizes}`];
  const body = hunks.flatMap((hunk) => [
    `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`,
    ...hunk.lines.map((line) => renderLine(line, options.columnsMax ?? 1000)),
  ]);
  const linesMax = options.linesMax ?? 2000;
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

/** What a state holds as text: a file its content, a link where it leads. */
async function textOf(state: ChangeState | null, blobs: BlobFolder): Promise<string> {
  if (state?.kind === "file") return (await blobs.read(state.sha256)).toString("utf8");
  return state?.kind === "link" ? `link to ${state.target}\n` : "";
}

function sizeOf({ before, after }: Change): number {
  return Math.max(
    before?.kind === "file" ? before.size : 0,
    after?.kind === "file" ? after.size : 0,
  );
}

function describeState(state: ChangeState | null): string {
  if (state === null) return "nothing";
  return state.kind === "file" ? renderBytes(state.size) : state.kind;
}

function renderLine(line: string, columnsMax: number): string {
  // the end of a Windows line is told apart, because a change of it is a change
  const shown = escapeText(line.slice(0, columnsMax), { keep: "\t" });
  const hidden = line.length - columnsMax;
  return hidden > 0 ? `${shown} … ${hidden} more characters` : shown;
}
