/** One step of an approval and its record, and the errors of a step that cannot be taken. */
import { LuminaGuardError } from "../errors.ts";
import type { Approval, ApprovalState } from "./approval.ts";
import { moveEntry } from "./audit-entries.ts";
import type { LedgerTransaction } from "./ledger.ts";

/** why a card expired */
export const nobodyAnswered = "nobody answered in time";

/** The approval in its new state. Raises APPROVAL_DECIDED when somebody else was first. */
export function moveApproval(
  transaction: LedgerTransaction,
  approval: Approval,
  to: ApprovalState,
  outcome: string,
): Approval {
  if (!transaction.move(approval.envelope.id, approval.state, to, { outcome })) {
    throw alreadyDecided(approval);
  }
  transaction.record(moveEntry(approval, to, outcome));
  return { ...approval, state: to, outcome, stateAt: new Date(transaction.now).toISOString() };
}

/** Raises APPROVAL_NOT_FOUND, or APPROVAL_DECIDED when it is pending no more. */
export function findPending(transaction: LedgerTransaction, id: string): Approval {
  const approval = transaction.get(id);
  if (approval === undefined) throw notFound(id);
  if (approval.state !== "pending") throw alreadyDecided(approval);
  return approval;
}

/** One that is pending and in time. Raises what `findPending` raises, and APPROVAL_DECIDED when it is too late. */
export function findAnswerable(transaction: LedgerTransaction, id: string): Approval {
  const pending = findPending(transaction, id);
  if (transaction.now < Date.parse(pending.envelope.expiresAt)) return pending;
  throw alreadyDecided({ ...pending, state: "expired", outcome: nobodyAnswered });
}

export function notFound(id: string): LuminaGuardError {
  return new LuminaGuardError("APPROVAL_NOT_FOUND", `no approval has the id ${id}`, {
    hint: "luminaguard approvals ls  shows those there are",
  });
}

export function alreadyDecided({ shortId, state, decision, outcome }: Approval): LuminaGuardError {
  const by = decision === null ? "" : ` by ${decision.by} at ${decision.at}`;
  const why = decision === null && outcome !== "" ? `: ${outcome}` : "";
  return new LuminaGuardError("APPROVAL_DECIDED", `approval ${shortId} is ${state}${by}${why}`, {
    hint: `luminaguard approvals show ${shortId}  tells more`,
    details: { state },
  });
}
