/** Which changes of a set a person, or a rule, wants. Flagged ones only when that was said. */
import { LuminaGuardError } from "../errors.ts";
import { isSameState } from "./change-set.ts";
import type { Change, ChangeSet } from "./change-set.ts";
import { isSafeGuestPath } from "./guest-path.ts";

export type ApplyChoice =
  /** what `--apply always` covers: nothing that is flagged */
  | { readonly kind: "unflagged" }
  /** what a person says who saw the card with its flags */
  | { readonly kind: "all" }
  /** exactly these, flagged or not */
  | { readonly kind: "paths"; readonly paths: readonly string[] }
  /** exactly these, as they were shown to a person; a set on disk that says otherwise is not believed */
  | ApprovedChanges;

export interface ApprovedChanges extends Pick<ChangeSet, "root" | "changes" | "removedFolders"> {
  readonly kind: "approved";
}

/** The chosen changes, in the order of the set. */
export function chooseChanges(set: ChangeSet, choice: ApplyChoice): readonly Change[] {
  const chosen = choose(set, choice);
  for (const { path } of chosen) {
    if (!isSafeGuestPath(path)) throw unsafe(path);
  }
  return chosen;
}

/** Folders that go once they are empty. */
export function chooseFolders(set: ChangeSet, choice: ApplyChoice): readonly string[] {
  const chosen = choice.kind === "approved" ? choice.removedFolders : set.removedFolders;
  const kept = new Set(set.removedFolders);
  for (const path of chosen) {
    if (!isSafeGuestPath(path)) throw unsafe(path);
    if (!kept.has(path)) throw notApproved(set, path);
  }
  return chosen;
}

function choose(set: ChangeSet, choice: ApplyChoice): readonly Change[] {
  if (choice.kind === "all") return set.changes;
  if (choice.kind === "approved") return chooseApproved(set, choice);
  if (choice.kind === "unflagged") return set.changes.filter(({ flags }) => flags.length === 0);
  const wanted = new Set(choice.paths);
  const chosen = set.changes.filter(({ path }) => wanted.delete(path));
  const [unknown] = wanted;
  if (unknown === undefined) return chosen;
  throw new LuminaGuardError("USAGE", `change set ${set.id} has no change of ${unknown}`, {
    hint: `luminaguard changes show ${set.id}  lists its paths`,
  });
}

/** The changes as they were approved; the kept set must still hold each of them, for the same folder. */
function chooseApproved(
  set: ChangeSet,
  { root, changes: approved }: ApprovedChanges,
): readonly Change[] {
  if (set.root !== root) throw notApproved(set, root);
  const kept = new Map(set.changes.map((change) => [change.path, change]));
  for (const { path, before, after } of approved) {
    const change = kept.get(path);
    const isSame =
      change !== undefined &&
      isSameState(change.before, before) &&
      isSameState(change.after, after);
    if (!isSame) throw notApproved(set, path);
  }
  return approved;
}

/** `path`: where the kept set says something else. */
function notApproved({ id }: ChangeSet, path: string): LuminaGuardError {
  return new LuminaGuardError("APPLY_FAILED", `change set ${id} is not what was approved`, {
    hint: `nothing was applied; look at it again: luminaguard changes show ${id}`,
    details: { path },
  });
}

/** Judged once more at the last door, whatever a set on disk says. */
function unsafe(path: string): LuminaGuardError {
  return new LuminaGuardError("APPLY_FAILED", `${JSON.stringify(path)} may not be applied`, {
    hint: "drop the change set with luminaguard changes rm, and distrust what made it",
  });
}
