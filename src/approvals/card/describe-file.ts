/** One file of a write-back in words: letter, what becomes of it, and why to look. */
import { escapeText } from "../../base/escape-text.ts";
import type { FileSection } from "./card.ts";
import type { ShownChange, ShownState } from "./file-change.ts";
import { showLiteral, showName } from "./shown-value.ts";

const letters = { added: "A", modified: "M", deleted: "D", mode: "P", replaced: "T" } as const;

/** A file that went away in one place and came up in another with the same content, by hash. */
export interface Renames {
  /** new path → old path */
  readonly from: ReadonlyMap<string, string>;
  /** old path → new path */
  readonly to: ReadonlyMap<string, string>;
}

/** Pairs each new file with one that went away; empty files are alike without being the same. */
export function findRenames(changes: readonly ShownChange[]): Renames {
  const gone = new Map<string, string[]>();
  for (const change of changes) {
    const sha256 = contentThatLeft(change);
    if (sha256 !== undefined) gone.set(sha256, [...(gone.get(sha256) ?? []), change.path]);
  }
  const from = new Map<string, string>();
  const to = new Map<string, string>();
  for (const { kind, path, after } of changes) {
    if (kind !== "added" || after?.kind !== "file") continue;
    const old = gone.get(after.sha256)?.shift();
    if (old === undefined) continue;
    from.set(path, old);
    to.set(old, path);
  }
  return { from, to };
}

function contentThatLeft({ kind, before }: ShownChange): string | undefined {
  const isContent = kind === "deleted" && before?.kind === "file" && before.size > 0;
  return isContent ? before.sha256 : undefined;
}

export function describeFile(change: ShownChange, at: number, renames: Renames): FileSection {
  const { path, kind, before, after, binary, lines, flags, conflict } = change;
  const isRenamed = renames.from.has(path);
  return {
    kind: "file",
    id: `file:${at}`,
    letter: isRenamed ? "R" : letters[kind],
    path: showName(path),
    exactPath: showLiteral(path),
    lines: isRenamed ? null : lines,
    words: describe(change, renames),
    flags: flags.map((flag) => escapeText(flag)),
    conflict: conflict === null ? null : escapeText(conflict),
    hasDiff:
      kind !== "mode" && !binary && conflict === null && !(isFolder(before) && isFolder(after)),
  };
}

function describe(change: ShownChange, renames: Renames): readonly string[] {
  const { before, after, binary } = change;
  return [
    ...describeMove(change, renames),
    ...describeMode(before, after),
    ...(binary ? [`binary of ${sizeOf(after ?? before)}`] : []),
  ];
}

/** What it was and what it is, where that is more than other lines. */
function describeMove(change: ShownChange, { from, to }: Renames): readonly string[] {
  const { path, kind, before, after } = change;
  const [cameFrom, wentTo] = [from.get(path), to.get(path)];
  if (cameFrom !== undefined) return [`renamed from ${showName(cameFrom)}`];
  if (wentTo !== undefined) return [`renamed to ${showName(wentTo)}`];
  if (after === null) return [describeDeleted(before)];
  if (after.kind === "link") return [describeLink(before, after.target)];
  if (after.kind === "folder") return [before === null ? "new folder" : "becomes a folder"];
  if (kind === "replaced") return ["becomes a file"];
  return kind === "added" ? ["new file"] : [];
}

function describeLink(before: ShownState | null, target: string): string {
  const leads = before?.kind === "link" ? "link now leads to" : "link to";
  return `${before !== null && before.kind !== "link" ? "becomes a " : ""}${leads} ${showName(target)}`;
}

function describeDeleted(before: ShownState | null): string {
  return before?.kind === "file" || before === null ? "deleted" : `${before.kind} deleted`;
}

function describeMode(before: ShownState | null, after: ShownState | null): readonly string[] {
  if (after?.kind !== "file") return [];
  const was = before?.kind === "file" && before.executable;
  if (was === after.executable) return [];
  return [after.executable ? "now executable" : "no longer executable"];
}

function sizeOf(state: ShownState | null): string {
  return state?.kind === "file" ? `${state.size.toLocaleString("en")} bytes` : "nothing";
}

function isFolder(state: ShownState | null): boolean {
  return state === null || state.kind === "folder";
}
