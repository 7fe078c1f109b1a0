/** Approvals and grants as the store's rows, and back. What comes back is checked: disks fail, and files can be edited. */
import * as v from "valibot";
import { approvalStates } from "../../approvals/approval.ts";
import type { Approval, SignedDecision } from "../../approvals/approval.ts";
import { toCanonicalJson } from "../../approvals/canonical.ts";
import { effectKinds } from "../../approvals/effect.ts";
import { parseEnvelope } from "../../approvals/envelope-schema.ts";
import type { Grant } from "../../approvals/grant.ts";
import type { GrantScope, PolicyVerdict } from "../../approvals/policy.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { ApprovalRow } from "../../store/approval-table.ts";
import type { GrantRow } from "../../store/grant-table.ts";

const verdictSchema: v.GenericSchema<unknown, PolicyVerdict> = v.strictObject({
  answer: v.picklist(["allow", "ask", "deny"]),
  rules: v.array(v.string()),
  reason: v.string(),
});

const decisionSchema: v.GenericSchema<unknown, SignedDecision> = v.strictObject({
  approval: v.string(),
  digest: v.string(),
  nonce: v.string(),
  word: v.picklist(["approve", "reject"]),
  reason: v.string(),
  freeze: v.boolean(),
  grant: v.nullable(v.string()),
  by: v.string(),
  at: v.string(),
  key: v.string(),
  signature: v.string(),
});

const scopeSchema: v.GenericSchema<unknown, GrantScope> = v.strictObject({
  who: v.string(),
  effect: v.picklist(effectKinds),
  tool: v.string(),
  resource: v.exactOptional(v.string()),
  run: v.nullable(v.string()),
  task: v.nullable(v.string()),
  args: v.record(v.string(), v.string()),
});

const stateSchema = v.picklist(approvalStates);

export function toApprovalRow(approval: Approval): ApprovalRow {
  const { envelope, digest, shortId, state, verdict, owner, decision, outcome } = approval;
  return {
    ...{ id: envelope.id, run: envelope.run, digest, shortId, state, owner, outcome },
    envelope: toCanonicalJson(envelope),
    verdict: JSON.stringify(verdict),
    decision: decision && JSON.stringify(decision),
    stateAt: Date.parse(approval.stateAt),
    keptUntil: Date.parse(approval.keptUntil),
    // one that nobody could be asked about ends where it begins; an edited one is the person's own
    wasPrompt: verdict.answer === "ask" && state === "pending" && envelope.replaces === null,
  };
}

/** Raises STORE_FAILED when the row is not what was written. */
export function fromApprovalRow(row: ApprovalRow | undefined): Approval | undefined {
  if (row === undefined) return undefined;
  const { id, digest, shortId, owner, outcome } = row;
  return undamaged(`approval ${id}`, () => ({
    envelope: parseEnvelope(JSON.parse(row.envelope)),
    ...{ digest, shortId, owner, outcome },
    state: v.parse(stateSchema, row.state),
    verdict: v.parse(verdictSchema, JSON.parse(row.verdict)),
    decision: row.decision === null ? null : v.parse(decisionSchema, JSON.parse(row.decision)),
    stateAt: toTime(row.stateAt),
    keptUntil: toTime(row.keptUntil),
  }));
}

export function toGrantRow(grant: Grant): GrantRow {
  const { id, scope, text, usesMax, uses, revokedAt } = grant;
  return {
    ...{ id, text, usesMax, uses },
    scope: JSON.stringify(scope),
    createdAt: Date.parse(grant.createdAt),
    expiresAt: Date.parse(grant.expiresAt),
    revokedAt: revokedAt === null ? null : Date.parse(revokedAt),
  };
}

/** Raises STORE_FAILED when the row is not what was written. */
export function fromGrantRow(row: GrantRow): Grant {
  const { id, text, usesMax, uses, revokedAt } = row;
  return undamaged(`grant ${id}`, () => ({
    ...{ id, text, usesMax, uses },
    scope: v.parse(scopeSchema, JSON.parse(row.scope)),
    createdAt: toTime(row.createdAt),
    expiresAt: toTime(row.expiresAt),
    revokedAt: revokedAt === null ? null : toTime(revokedAt),
  }));
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

function undamaged<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new LuminaGuardError("STORE_FAILED", `${what} is not what was stored`, {
      hint: "somebody or something changed the store; luminaguard audit verify  tells more",
      cause,
    });
  }
}
