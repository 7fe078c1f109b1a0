/** The difference of one file, as whoever holds its contents hands it to a face. Raw text: a face escapes what it shows. */

export interface DiffLine {
  readonly kind: "context" | "added" | "removed";
  /** without its line end */
  readonly text: string;
  /** the file ends here, without a line end */
  readonly hasNoNewline: boolean;
}

export interface DiffHunk {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: readonly DiffLine[];
}

export type FileDiff =
  | { readonly kind: "hunks"; readonly hunks: readonly DiffHunk[] }
  /** sizes in `bytes`; null: not there */
  | { readonly kind: "binary"; readonly before: number | null; readonly after: number | null }
  | { readonly kind: "too-large"; readonly before: number | null; readonly after: number | null };
