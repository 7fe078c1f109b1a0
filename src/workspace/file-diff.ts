/**
 * The difference of one file as hunks of lines, within bounds. The same contents give the same hunks
 * on any day and any computer, so that a hunk can be named by its number.
 */
import type { BlobFolder } from "./blob-folder.ts";
import type { Change, ChangeState } from "./change-set.ts";
import { diffLines, lineDiffLimits } from "./line-diff.ts";
import type { DiffHunk } from "./line-diff.ts";
import { decodePair } from "./text-pair.ts";

export type FileDiff =
  | { readonly kind: "hunks"; readonly hunks: readonly DiffHunk[] }
  /** sizes in `bytes`; null: not there */
  | { readonly kind: "binary"; readonly before: number | null; readonly after: number | null }
  | { readonly kind: "too-large"; readonly before: number | null; readonly after: number | null };

/** No hunks for a change of the mode alone, and for a conflict: the host's content is not known. */
export async function diffFile(change: Change, blobs: BlobFolder): Promise<FileDiff> {
  if (change.conflict !== null || change.kind === "mode") return { kind: "hunks", hunks: [] };
  const sizes = { before: sizeOf(change.before), after: sizeOf(change.after) };
  if (change.binary) return { kind: "binary", ...sizes };
  if (Math.max(sizes.before ?? 0, sizes.after ?? 0) > lineDiffLimits.textBytesMax) {
    return { kind: "too-large", ...sizes };
  }
  const { before, after } = await readPair(change, blobs);
  const hunks = diffLines(before, after);
  return hunks === undefined ? { kind: "too-large", ...sizes } : { kind: "hunks", hunks };
}

/** Both sides as text: a file its content, a link where it leads. */
export async function readPair(
  { before, after }: Pick<Change, "before" | "after">,
  blobs: BlobFolder,
): Promise<{
  readonly before: string;
  readonly after: string;
  readonly encoding: "utf8" | "latin1";
}> {
  return decodePair(await bytesOf(before, blobs), await bytesOf(after, blobs));
}

async function bytesOf(state: ChangeState | null, blobs: BlobFolder): Promise<Buffer> {
  if (state?.kind === "file") return blobs.read(state.sha256);
  return Buffer.from(state?.kind === "link" ? `link to ${state.target}\n` : "");
}

function sizeOf(state: ChangeState | null): number | null {
  if (state === null) return null;
  return state.kind === "file" ? state.size : 0;
}
