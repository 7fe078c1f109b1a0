/** One thing of the workspace that goes into the machine. */
export type WorkspaceEntry = FileEntry | FolderEntry | LinkEntry;

export interface FileEntry {
  readonly kind: "file";
  /** below the root, segments joined by `/` */
  readonly path: string;
  /** permission bits only */
  readonly mode: number;
  /** size in `bytes` when it was scanned */
  readonly size: number;
  readonly mtimeMs: number;
  /** what is sent instead of the file's own bytes, such as a `.git/config` without remotes */
  readonly content?: Uint8Array;
}

export interface FolderEntry {
  readonly kind: "folder";
  readonly path: string;
  readonly mode: number;
  readonly mtimeMs: number;
}

export interface LinkEntry {
  readonly kind: "link";
  readonly path: string;
  readonly target: string;
  readonly mtimeMs: number;
}
