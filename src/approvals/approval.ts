/** An envelope on its way: pending, decided, executed once or not at all. */
import type { ActionEnvelope } from "./envelope.ts";
import type { PolicyVerdict } from "./policy.ts";

export const approvalStates = [
  "pending",
  "approved",
  "rejected",
  "expired",
  "cancelled",
  "executing",
  "done",
  "failed",
  "unknown",
] as const;
export type ApprovalState = (typeof approvalStates)[number];

/** Where each state can go; those that lead nowhere are final. */
export const nextStates: Readonly<Record<ApprovalState, readonly ApprovalState[]>> = {
  pending: ["approved", "rejected", "expired", "cancelled"],
  // an approval that is not used in time, or whose ground changed, is none any more
  approved: ["executing", "expired", "cancelled"],
  executing: ["done", "failed", "unknown"],
  rejected: [],
  expired: [],
  cancelled: [],
  done: [],
  failed: [],
  unknown: [],
};

/** What a person, or policy in a person's name, said about one envelope. */
export interface Decision {
  readonly approval: string;
  /** digest and nonce of the envelope that was shown */
  readonly digest: string;
  readonly nonce: string;
  readonly word: "approve" | "reject";
  /** given back to the asker; "" when none was given */
  readonly reason: string;
  /** the asker's machine is frozen with a rejection */
  readonly freeze: boolean;
  /** id of the grant that was made with it */
  readonly grant: string | null;
  /** the face that took it: `terminal`, `policy`, … */
  readonly by: string;
  readonly at: string;
}

export interface SignedDecision extends Decision {
  /** id of the local key */
  readonly key: string;
  /** Ed25519 over the canonical JSON of the decision, base64 */
  readonly signature: string;
}

export interface Approval {
  readonly envelope: ActionEnvelope;
  /** SHA-256 of the envelope's canonical JSON, in hexadecimal */
  readonly digest: string;
  /** short enough to type, such as `7K2M`; the newest approval of that name is meant */
  readonly shortId: string;
  readonly state: ApprovalState;
  readonly verdict: PolicyVerdict;
  /** the process that waits for it and executes it */
  readonly owner: string;
  readonly decision: SignedDecision | null;
  /** why it ended as it did, for a person: an error's message, "nobody answered", … */
  readonly outcome: string;
  /** when the state was reached; RFC 3339 */
  readonly stateAt: string;
  /** when it is forgotten; RFC 3339 */
  readonly keptUntil: string;
}

/** What a move may write beside the new state. */
export type ApprovalChange = Partial<
  Pick<Approval, "decision" | "outcome" | "keptUntil" | "owner">
>;
