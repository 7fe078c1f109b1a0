/** Approvals as the cliff makes them, for tests of what keeps them. */
import { ulid } from "ulid";
import type { Approval } from "../../src/approvals/approval.ts";
import { digestOf } from "../../src/approvals/canonical.ts";
import type { ActionEnvelope } from "../../src/approvals/envelope.ts";

export function makeEnvelope(change: Partial<ActionEnvelope> = {}): ActionEnvelope {
  return {
    v: 1,
    id: ulid(),
    who: "run",
    parents: [],
    run: "r1",
    task: null,
    machine: null,
    tool: "host.command",
    args: { argv: ["make"] },
    effects: [{ kind: "host-command", argv: ["make"], cwd: "/" }],
    operands: [],
    policyVersion: "p1",
    toolFingerprint: null,
    taint: { tainted: false, sources: [] },
    says: "",
    replaces: null,
    createdAt: "2026-01-01T00:00:00.000Z",
    expiresAt: "2026-01-01T00:05:00.000Z",
    nonce: "0".repeat(32),
    ...change,
  };
}

export function makeApproval(
  envelope: ActionEnvelope = makeEnvelope(),
  change: Partial<Approval> = {},
): Approval {
  return {
    envelope,
    digest: digestOf(envelope),
    shortId: envelope.id.slice(-4),
    state: "pending",
    verdict: { answer: "ask", rules: ["default-ask"], reason: "a person is asked" },
    owner: "1-1",
    decision: null,
    outcome: "",
    stateAt: "2026-01-01T00:00:00.000Z",
    keptUntil: "2999-01-01T00:00:00.000Z",
    ...change,
  };
}
