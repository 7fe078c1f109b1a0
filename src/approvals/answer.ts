/** A person's word on one card, signed and written down. */
import type { Approval, Decision, SignedDecision } from "./approval.ts";
import { decisionEntry, grantEntry } from "./audit-entries.ts";
import type { CliffParts } from "./cliff-parts.ts";
import { signDecision } from "./decision.ts";
import type { ActionEnvelope } from "./envelope.ts";
import type { Grant } from "./grant.ts";
import type { LedgerTransaction } from "./ledger.ts";
import { alreadyDecided } from "./move-approval.ts";

/** `digest` and `nonce` are those of the envelope that was shown. */
export interface Answer extends Pick<Decision, "digest" | "nonce" | "word" | "by"> {
  /** @default "" */
  readonly reason?: string;
  /** @default false */
  readonly freeze?: boolean;
  /** remembered from now on; its text stood on the card */
  readonly grant?: Grant;
}

/** The pending approval with its answer, and the grant that came with a yes. */
export function writeAnswer(
  parts: CliffParts,
  transaction: LedgerTransaction,
  approval: Approval,
  answer: Answer,
): Approval {
  const { grant, word } = answer;
  if (grant !== undefined && word === "approve") {
    transaction.addGrant(grant);
    transaction.record(grantEntry("grant-added", grant));
  }
  const decision = signAnswer(parts, approval.envelope, answer);
  const state = word === "approve" ? "approved" : "rejected";
  const change = { decision, outcome: decision.reason };
  if (!transaction.move(approval.envelope.id, "pending", state, change)) {
    throw alreadyDecided(approval);
  }
  const decided: Approval = { ...approval, state, ...change, stateAt: decision.at };
  transaction.record(decisionEntry(decided));
  return decided;
}

export function signAnswer(
  { ledger, key }: CliffParts,
  { id }: ActionEnvelope,
  { digest, nonce, word, by, reason = "", freeze = false, grant }: Answer,
): SignedDecision {
  const at = new Date(ledger.now()).toISOString();
  const given = { digest, nonce, word, by, reason, freeze, at };
  return signDecision({ approval: id, ...given, grant: grant?.id ?? null }, key);
}
