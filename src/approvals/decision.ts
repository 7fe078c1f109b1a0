/** A decision is signed with this user's own key, so that a row nobody made is told from one that was. */
import { toCanonicalJson } from "./canonical.ts";
import type { Approval, Decision, SignedDecision } from "./approval.ts";
import { digestOf } from "./canonical.ts";

/** The local key, as the cliff uses it. */
export interface DecisionKey {
  readonly id: string;
  /** Ed25519, base64 */
  readonly sign: (text: string) => string;
  readonly verify: (text: string, signature: string) => boolean;
}

export function signDecision(decision: Decision, key: DecisionKey): SignedDecision {
  return { ...decision, key: key.id, signature: key.sign(toCanonicalJson(decision)) };
}

/** Why the stored approval is not what was decided; `undefined` when it is. */
export function findForgery(approval: Approval, key: DecisionKey): string | undefined {
  const { envelope, decision, digest } = approval;
  if (digestOf(envelope) !== digest) return "the envelope is not the one that was digested";
  if (decision === null) return "nobody decided it";
  const { key: keyId, signature, ...signed } = decision;
  if (keyId !== key.id) return "it was decided with another key";
  if (!key.verify(toCanonicalJson(signed), signature)) return "the decision's signature is wrong";
  const names =
    signed.approval === envelope.id && signed.digest === digest && signed.nonce === envelope.nonce;
  if (!names) return "the decision is about another envelope";
  return signed.word === "approve" ? undefined : "the decision was no";
}
