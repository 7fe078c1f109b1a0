import type { Approval } from "../runtime/values.ts";

/** An approval as programs read it: what was asked, and where it stands. */
export function toApprovalJson(approval: Approval): object {
  const { envelope, shortId, digest, state, stateAt, verdict, decision, outcome } = approval;
  return { id: envelope.id, shortId, digest, state, stateAt, verdict, decision, outcome, envelope };
}
