/**
 * A smaller change set out of one that was shown: some of its files, and of some files only some hunks.
 * It is a set of its own with contents of its own, so that what is approved is again named by hashes.
 */
import { Readable } from "node:stream";
import { LuminaGuardError } from "../errors.ts";
import type { BlobFolder } from "./blob-folder.ts";
import type { Change, ChangeSet } from "./change-set.ts";
import type { ChangeStore } from "./change-store.ts";
import { diffFile, readPair } from "./file-diff.ts";
import { countLines, splitLines } from "./line-diff.ts";
import type { DiffHunk } from "./line-diff.ts";

/** What a person chose of a set. */
export interface HunkChoice {
  /** files to be written */
  readonly paths: readonly string[];
  /** of these files only the hunks with these numbers, from 0, as `diffFile` has them; none: nothing */
  readonly hunks: Readonly<Record<string, readonly number[]>>;
}

/** Raises USAGE for a choice of what is not there. The set that was shown stays as it is. */
export async function narrowChanges(
  store: ChangeStore,
  set: ChangeSet,
  choice: HunkChoice,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ChangeSet> {
  const chosen = chooseFiles(set, choice);
  const shown = store.blobs(set.id);
  const draft = await store.draft({ signal });
  try {
    const changes: Change[] = [];
    for (const { change, hunks } of chosen) {
      signal?.throwIfAborted();
      await copyContents(change, shown, draft.blobs);
      const kept =
        hunks === undefined ? change : await keepHunks(change, { hunks, shown, made: draft.blobs });
      if (kept !== undefined) changes.push(kept);
    }
    const { root, command, hadNetwork, removedFolders, refused, refusedCount, leftBehind } = set;
    const rest = { root, command, hadNetwork, removedFolders, refused, refusedCount, leftBehind };
    return await draft.publish({ ...rest, changes });
  } catch (error) {
    await draft.drop();
    throw error;
  }
}

interface ChosenFile {
  readonly change: Change;
  /** undefined: the whole file */
  readonly hunks: readonly number[] | undefined;
}

function chooseFiles(set: ChangeSet, { paths, hunks }: HunkChoice): readonly ChosenFile[] {
  const wanted = new Set(paths);
  const chosen = set.changes.filter(({ path }) => wanted.delete(path));
  const loose = Object.keys(hunks).filter((path) => !paths.includes(path));
  const [unknown] = [...wanted, ...loose];
  if (unknown !== undefined) throw notThere(`change set ${set.id} has no change of ${unknown}`);
  return chosen.map((change) => ({
    change,
    hunks: Object.hasOwn(hunks, change.path) ? hunks[change.path] : undefined,
  }));
}

/** Both sides, so that the new set can show its difference without the old one. */
async function copyContents(change: Change, from: BlobFolder, to: BlobFolder): Promise<void> {
  const { before, after, conflict } = change;
  // where the host's file is another one by now, its content was never kept
  if (before?.kind === "file" && conflict === null) await to.adopt(from, before);
  if (after?.kind === "file") await to.adopt(from, after);
}

interface HunkPick {
  readonly hunks: readonly number[];
  readonly shown: BlobFolder;
  readonly made: BlobFolder;
}

/** The change with these hunks alone; undefined when none of it is left. */
async function keepHunks(
  change: Change,
  { hunks: numbers, shown, made }: HunkPick,
): Promise<Change | undefined> {
  const diff = await diffFile(change, shown);
  const all = diff.kind === "hunks" ? diff.hunks : [];
  const picked = all.filter((_, at) => numbers.includes(at));
  if (picked.length !== new Set(numbers).size) throw notThere(`${change.path} has no such hunk`);
  if (picked.length === 0) return undefined;
  if (picked.length === all.length) return change;
  const { before, after } = change;
  if (before?.kind !== "file" || after?.kind !== "file") {
    throw notThere(`${change.path} can only be written whole`);
  }
  const texts = await readPair(change, shown);
  const content = Buffer.from(applyHunks(texts.before, picked), texts.encoding);
  const { sha256, size } = await made.put(Readable.from([content]), {
    size: content.length,
    wants: () => true,
  });
  return { ...change, after: { ...after, sha256, size }, lines: countLines(picked) };
}

/** The text with these hunks applied to it; they are of a difference from this text. */
export function applyHunks(before: string, hunks: readonly DiffHunk[]): string {
  const old = splitLines(before);
  const parts: string[] = [];
  let at = 0;
  for (const { oldStart, oldLines, lines } of hunks) {
    const from = oldLines === 0 ? oldStart : oldStart - 1;
    parts.push(...old.slice(at, from));
    for (const { kind, text, hasNoNewline } of lines) {
      if (kind !== "removed") parts.push(hasNoNewline ? text : `${text}\n`);
    }
    at = from + oldLines;
  }
  return [...parts, ...old.slice(at)].join("");
}

function notThere(message: string): LuminaGuardError {
  return new LuminaGuardError("USAGE", message, {
    hint: "choose again from the card as it is now",
  });
}
