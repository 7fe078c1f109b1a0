/** Envelopes and approvals for tests of what is made of them. */
import type { ActionEnvelope } from "../../src/approvals/envelope.ts";
import { digestOf } from "../../src/approvals/canonical.ts";
import type { CardSubject } from "../../src/approvals/card/build-card.ts";

export function makeEnvelope(more: Partial<ActionEnvelope> = {}): ActionEnvelope {
  return {
    v: 1,
    id: "01KANNTESTTESTTESTTESTTEST",
    who: "release helper",
    parents: [],
    run: "run-7",
    task: "12",
    machine: "vm-3f",
    tool: "github.merge_pull_request",
    args: { repo: "acme/shop", number: 418, method: "squash" },
    effects: [
      {
        kind: "mcp-call",
        server: "github",
        tool: "merge_pull_request",
        harm: "unknown",
        isFirstCall: true,
      },
    ],
    operands: [],
    policyVersion: "1",
    toolFingerprint: null,
    taint: { tainted: false, sources: [] },
    says: "",
    replaces: null,
    createdAt: "2026-11-22T10:00:00.000Z",
    expiresAt: "2026-11-22T10:05:00.000Z",
    nonce: "0".repeat(32),
    ...more,
  };
}

export function makeSubject(more: Partial<ActionEnvelope> = {}): CardSubject {
  const envelope = makeEnvelope(more);
  return {
    envelope,
    digest: digestOf(envelope),
    shortId: "P4TX",
    verdict: {
      answer: "ask",
      rules: ["default.cedar"],
      reason: "unannotated tool on an authenticated server",
    },
  };
}
