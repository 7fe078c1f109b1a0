/** What the audit is told of an approval. Values of variables and headers are dropped by the audit itself. */
import type { Approval, ApprovalState } from "./approval.ts";
import type { Grant } from "./grant.ts";
import type { JsonObject } from "./json.ts";
import type { AuditEntry } from "./ledger.ts";

export function envelopeEntry({ envelope, digest, shortId, verdict }: Approval): AuditEntry {
  const { id, who, parents, run, task, machine, tool, effects, operands, taint } = envelope;
  const facts = {
    ...{ digest, shortId, who, parents, run, task, machine, tool, effects, operands, taint },
    replaces: envelope.replaces,
    policyVersion: envelope.policyVersion,
    toolFingerprint: envelope.toolFingerprint,
    expiresAt: envelope.expiresAt,
    verdict: { answer: verdict.answer, rules: verdict.rules, reason: verdict.reason },
  };
  return { kind: "envelope", subject: id, facts: facts as unknown as JsonObject };
}

export function decisionEntry({ envelope, decision, digest }: Approval): AuditEntry {
  return {
    kind: "decision",
    subject: envelope.id,
    facts: { digest, decision: decision as unknown as JsonObject },
  };
}

/** An end without a decision, an execution's begin, or its end. */
export function moveEntry(approval: Approval, to: ApprovalState, outcome: string): AuditEntry {
  const kind = moveKinds[to] ?? "approval-ended";
  return {
    kind,
    subject: approval.envelope.id,
    facts: { digest: approval.digest, state: to, outcome },
  };
}

const moveKinds: Partial<Record<ApprovalState, string>> = {
  executing: "execution-started",
  done: "execution-ended",
  failed: "execution-ended",
  unknown: "execution-ended",
};

export function grantEntry(kind: "grant-added" | "grant-revoked", grant: Grant): AuditEntry {
  const { id, scope, text, usesMax, expiresAt } = grant;
  return {
    kind,
    subject: id,
    facts: { scope: { ...scope }, text, usesMax, expiresAt },
  };
}
