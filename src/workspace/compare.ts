/**
 * Baseline against what came out, path by path: pure. The guest's tree is what it is; this says what of
 * it is new, changed or gone, and which names could stand for the same file on some host.
 */
import type { BaselineEntry } from "./baseline.ts";
import { isSameState, type ChangeKind, type ChangeState, type Refusal } from "./change-set.ts";
import { foldPath, isBelowGit } from "./guest-path.ts";
import { isExecutable } from "./host-state.ts";

/** The guest's tree without what was refused. */
export interface Outcome {
  readonly states: ReadonlyMap<string, ChangeState>;
  /** paths that came out as something refused or ignored: they are not deletions */
  readonly unknown: ReadonlySet<string>;
}

export interface RawChange {
  readonly path: string;
  readonly kind: ChangeKind;
  readonly before: ChangeState | null;
  readonly after: ChangeState | null;
}

export interface Comparison {
  readonly changes: readonly RawChange[];
  readonly removedFolders: readonly string[];
  readonly refused: readonly Refusal[];
}

export function compareTrees(
  baseline: ReadonlyMap<string, BaselineEntry>,
  outcome: Outcome,
): Comparison {
  const { accepted, refused } = refuseCollisions(baseline, outcome.states);
  const filled = foldersInUse(accepted.keys());
  const held = foldersInUse(baseline.keys());
  const changes: RawChange[] = [];
  const removedFolders: string[] = [];
  for (const path of [...new Set([...baseline.keys(), ...accepted.keys()])].sort()) {
    if (isBelowGit(path) || isUnknown(path, outcome.unknown)) continue;
    const before = toState(baseline.get(path));
    const after = filled.has(path) ? holder(before) : (accepted.get(path) ?? null);
    if (isSameState(before, after)) continue;
    if (before?.kind === "folder" && after === null && held.has(path)) removedFolders.push(path);
    else changes.push(toChange(path, before, after));
  }
  return { changes, removedFolders, refused };
}

/** A folder that holds something is made by what it holds: it is no change of its own. */
function holder(before: ChangeState | null): ChangeState | null {
  return before?.kind === "folder" ? before : null;
}

const folder: ChangeState = { kind: "folder" };

function toState(entry: BaselineEntry | undefined): ChangeState | null {
  if (entry === undefined) return null;
  if (entry.kind === "link") return { kind: "link", target: entry.target };
  if (entry.kind === "folder") return folder;
  const { size, sha256 } = entry;
  return { kind: "file", executable: isExecutable(entry.mode), size, sha256 };
}

function toChange(path: string, before: ChangeState | null, after: ChangeState | null): RawChange {
  return { path, kind: kindOf(before, after), before, after };
}

function kindOf(before: ChangeState | null, after: ChangeState | null): ChangeKind {
  if (before === null) return "added";
  if (after === null) return "deleted";
  if (before.kind !== after.kind) return "replaced";
  if (before.kind !== "file" || after.kind !== "file") return "modified";
  return before.sha256 === after.sha256 ? "mode" : "modified";
}

/**
 * Of names that fold to one, those of the baseline stay (the host has them already), then the first in
 * order. Folders on the way count: `Src/a` beside `src/b` would be one folder on some hosts.
 */
function refuseCollisions(
  baseline: ReadonlyMap<string, BaselineEntry>,
  states: ReadonlyMap<string, ChangeState>,
): { accepted: ReadonlyMap<string, ChangeState>; refused: readonly Refusal[] } {
  const spellings = new Map<string, string>();
  const known = new Set<string>();
  const accepted = new Map<string, ChangeState>();
  const refused: Refusal[] = [];
  const accept = (path: string, state: ChangeState): void => {
    accepted.set(path, state);
    for (const part of prefixes(path)) {
      known.add(part);
      spellings.set(foldPath(part), part);
    }
  };
  const inOrder = [...states].sort(([one], [other]) => (one < other ? -1 : 1));
  for (const [path, state] of inOrder) if (baseline.has(path)) accept(path, state);
  for (const [path, state] of inOrder) {
    if (baseline.has(path)) continue;
    const clash = prefixes(path).find((part) => !known.has(part) && spellings.has(foldPath(part)));
    if (clash === undefined) accept(path, state);
    else {
      const other = spellings.get(foldPath(clash)) ?? clash;
      refused.push({ path, reason: `some hosts take it for ${other}` });
    }
  }
  return { accepted, refused };
}

/** `a/b/c` gives `a`, `a/b`, `a/b/c`. */
function prefixes(path: string): readonly string[] {
  const parts: string[] = [];
  for (let cut = path.indexOf("/"); cut >= 0; cut = path.indexOf("/", cut + 1)) {
    parts.push(path.slice(0, cut));
  }
  return [...parts, path];
}

/** Every folder above some path. */
function foldersInUse(paths: Iterable<string>): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const path of paths) for (const part of prefixes(path).slice(0, -1)) folders.add(part);
  return folders;
}

/** Whether the path, or a folder above it, came out as something that is not taken. */
function isUnknown(path: string, unknown: ReadonlySet<string>): boolean {
  return unknown.size > 0 && prefixes(path).some((part) => unknown.has(part));
}
