/** A person chose a part of a change set: it becomes an envelope of its own, with the answer on it. */
import type { Approval } from "../../approvals/approval.ts";
import type { Cliff } from "../../approvals/cliff.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { ApplyResult } from "../../workspace/apply.ts";
import type { ChangeSet } from "../../workspace/change-set.ts";
import type { HunkChoice } from "../../workspace/narrow.ts";
import type { ChangeDesk } from "./change-desk.ts";
import { draftWriteBack, executeWriteBack, originOf, readWriteBack } from "./write-back.ts";

export interface AmendParts {
  readonly cliff: Cliff;
  readonly changes: ChangeDesk;
  /** the face that took the answer */
  readonly by: string;
}

/**
 * Writes the chosen part. What was not chosen stays kept: as the rest of the set, or, where hunks were
 * chosen, as the whole of it. Raises APPROVAL_DENIED when policy says no to the part.
 */
export async function amendWriteBack(
  { cliff, changes: desk, by }: AmendParts,
  { envelope }: Approval,
  choice: HunkChoice,
): Promise<ApplyResult> {
  const { changeSet, ...written } = readWriteBack(envelope);
  // what the card showed, whatever the set on disk says by now
  const shown: ChangeSet = { ...(await desk.get(changeSet)), ...written };
  const isWhole = Object.keys(choice.hunks).length === 0;
  const part = isWhole ? withPaths(shown, choice.paths) : await desk.narrow(shown, choice);
  const draft = draftWriteBack(part, originOf(envelope));
  const verdict = await cliff.amend(envelope.id, draft, { by, shortId: part.id });
  if (verdict.outcome !== "allowed") {
    throw new LuminaGuardError("APPROVAL_DENIED", `nothing was written: ${verdict.reason}`, {
      hint: `luminaguard approvals show ${part.id}  tells more`,
    });
  }
  const result = await executeWriteBack(cliff, desk, verdict.approval.envelope.id);
  return isWhole ? result : { ...result, remaining: shown };
}

function withPaths(set: ChangeSet, paths: readonly string[]): ChangeSet {
  const chosen = new Set(paths);
  return { ...set, changes: set.changes.filter(({ path }) => chosen.has(path)) };
}
