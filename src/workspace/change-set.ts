/**
 * What a run wants to change in the workspace: pure data. The form on disk is change-set-schema.ts.
 * `before` is the file as it was sent in, `after` as it came out; contents are named by their hash.
 */

export interface FileState {
  readonly kind: "file";
  readonly executable: boolean;
  /** size in `bytes` */
  readonly size: number;
  readonly sha256: string;
}

export interface LinkState {
  readonly kind: "link";
  readonly target: string;
}

export interface FolderState {
  readonly kind: "folder";
}

export type ChangeState = FileState | LinkState | FolderState;

/** `mode`: only the executable bit; `replaced`: a file became a link or a folder, or the other way round. */
export type ChangeKind = "added" | "modified" | "deleted" | "mode" | "replaced";

export interface Change {
  /** below the root, segments joined by `/` */
  readonly path: string;
  readonly kind: ChangeKind;
  /** null: was not there */
  readonly before: ChangeState | null;
  /** null: is to go away */
  readonly after: ChangeState | null;
  readonly binary: boolean;
  /** changed lines; null where lines mean nothing or were too many to count */
  readonly lines: { readonly added: number; readonly removed: number } | null;
  /** why a person should look, in a few words each; empty for ordinary files */
  readonly flags: readonly string[];
  /** what the host had changed meanwhile when the set was made; null when nothing */
  readonly conflict: string | null;
}

export interface Refusal {
  readonly path: string;
  readonly reason: string;
}

export interface ChangeSet {
  readonly version: 1;
  /** short enough to type, such as `7K2M` */
  readonly id: string;
  readonly root: string;
  /** the command that made the changes, for people */
  readonly command: string;
  /** the machine had a network card: whatever came in by it may have had a part in the changes */
  readonly hadNetwork: boolean;
  /** ISO 8601 */
  readonly createdAt: string;
  readonly expiresAt: string;
  /** sorted by path */
  readonly changes: readonly Change[];
  /** folders that the guest removed; each goes once it is empty */
  readonly removedFolders: readonly string[];
  /** the first things the guest sent that no one can apply */
  readonly refused: readonly Refusal[];
  /** how many were refused in all */
  readonly refusedCount: number;
  /** what stayed in the machine because an ignore rule names it */
  readonly leftBehind: { readonly paths: readonly string[]; readonly count: number };
}

/** A set before the store gave it a name and a time. */
export type ChangeSetDraft = Omit<ChangeSet, "version" | "id" | "createdAt" | "expiresAt">;

export function isSameState(one: ChangeState | null, other: ChangeState | null): boolean {
  if (one === null || other === null) return one === other;
  if (one.kind === "file" && other.kind === "file") {
    return one.sha256 === other.sha256 && one.executable === other.executable;
  }
  if (one.kind === "link" && other.kind === "link") return one.target === other.target;
  return one.kind === other.kind;
}
