/** What processes that are gone left behind, brought to an end that is true. */
import type { Approval, ApprovalState } from "./approval.ts";
import type { CliffParts } from "./cliff-parts.ts";
import type { LedgerTransaction } from "./ledger.ts";
import { moveApproval } from "./move-approval.ts";

const openStates: readonly ApprovalState[] = ["pending", "approved", "executing"];

/**
 * Withdraws their questions. What they were executing has an unknown end, and is given back for a
 * person to look at; it is never run again.
 */
export async function recoverApprovals(
  { ledger, owner: self }: CliffParts,
  isAlive: (owner: string) => Promise<boolean>,
): Promise<readonly Approval[]> {
  const open = ledger.list({ states: openStates });
  const gone = new Set<string>();
  for (const owner of new Set(open.map((each) => each.owner))) {
    if (owner !== self && !(await isAlive(owner))) gone.add(owner);
  }
  const orphans = open.filter(({ owner }) => gone.has(owner));
  if (orphans.length === 0) return [];
  return ledger.commit((transaction) =>
    orphans.map(({ envelope: { id } }) => end(transaction, transaction.get(id))).filter(isUnknown),
  );
}

function end(transaction: LedgerTransaction, approval: Approval | undefined): Approval | undefined {
  if (approval?.state === "executing") {
    return moveApproval(transaction, approval, "unknown", "its process ended while it ran");
  }
  if (approval?.state !== "pending" && approval?.state !== "approved") return undefined;
  return moveApproval(transaction, approval, "cancelled", "its process ended");
}

function isUnknown(approval: Approval | undefined): approval is Approval {
  return approval?.state === "unknown";
}
