/** An envelope that was judged, as the approval it begins as: approved, rejected, or pending. */
import type { Approval } from "./approval.ts";
import { signAnswer } from "./answer.ts";
import type { SealedEnvelope } from "./build-envelope.ts";
import type { CliffParts } from "./cliff-parts.ts";
import type { ActionEnvelope } from "./envelope.ts";
import type { Ledger } from "./ledger.ts";
import type { PolicyVerdict } from "./policy.ts";

/** most cards that wait at once */
const pendingMax = 10_000;
const pendingInRunMax = 1000;
/** what was not executed can be brought back this long */
const keptMs = 7 * 24 * 3600 * 1000;

/** As policy says; where it wants a person asked and nobody can be, rejected with the reason. */
export function openApproval(
  parts: CliffParts,
  sealed: SealedEnvelope,
  verdict: PolicyVerdict,
  shortId: string,
): Approval {
  const opened = describe(parts, sealed, verdict, shortId);
  if (verdict.answer === "deny") return opened;
  if (verdict.answer === "allow") return allowByPolicy(parts, opened);
  const why = findWhyNobodyIsAsked(parts.ledger, sealed.envelope);
  return why === undefined
    ? { ...opened, state: "pending", outcome: "" }
    : { ...opened, outcome: why };
}

/** For an envelope that a person's answer comes with: pending, unless policy denies it. */
export function openAnswered(
  parts: CliffParts,
  sealed: SealedEnvelope,
  verdict: PolicyVerdict,
  shortId: string,
): Approval {
  const opened = describe(parts, sealed, verdict, shortId);
  return verdict.answer === "deny" ? opened : { ...opened, state: "pending", outcome: "" };
}

function describe(
  { owner }: CliffParts,
  { envelope, digest }: SealedEnvelope,
  verdict: PolicyVerdict,
  shortId: string,
): Approval {
  const stateAt = envelope.createdAt;
  const keptUntil = new Date(Date.parse(stateAt) + keptMs).toISOString();
  return {
    ...{ envelope, digest, shortId, verdict, owner, stateAt, keptUntil },
    state: "rejected",
    decision: null,
    outcome: verdict.reason,
  };
}

function allowByPolicy(parts: CliffParts, opened: Approval): Approval {
  const { envelope, digest, verdict } = opened;
  const { nonce } = envelope;
  const answer = { digest, nonce, word: "approve", by: "policy", reason: verdict.reason } as const;
  return {
    ...opened,
    state: "approved",
    decision: signAnswer(parts, envelope, answer),
    outcome: "",
  };
}

function findWhyNobodyIsAsked(ledger: Ledger, { run }: ActionEnvelope): string | undefined {
  if (ledger.faces().length === 0) return "nobody can be asked: no terminal, no other face";
  const states = ["pending"] as const;
  if (ledger.count({ states, run }) >= pendingInRunMax) return "this run asks too much";
  return ledger.count({ states }) >= pendingMax ? "too many cards wait already" : undefined;
}
