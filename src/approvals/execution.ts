/** Carries out what was approved, at most once, and writes down that it began before it does. */
import { LuminaGuardError, messageOf } from "../errors.ts";
import type { Approval } from "./approval.ts";
import type { CliffParts } from "./cliff-parts.ts";
import { findForgery } from "./decision.ts";
import type { ActionEnvelope } from "./envelope.ts";
import { judgeEnvelope } from "./judge.ts";
import { alreadyDecided, moveApproval, notFound } from "./move-approval.ts";
import type { GrantRule } from "./policy.ts";

export interface Execution<T> {
  /** what is done, from the very envelope that was shown */
  readonly run: (envelope: ActionEnvelope) => Promise<T>;
  /** hash of the tool's definition now */
  readonly toolFingerprint: string | null;
  /** rules that the request came with */
  readonly rules: readonly GrantRule[];
  readonly begun: Begun;
}

/** an approval that its asker does not use within this time is void */
const useWithinMs = 60_000;

/** What this process began lately: a row that somebody set back to `approved` begins nothing again. */
export class Begun {
  readonly #times = new Map<string, number>();

  has(id: string): boolean {
    return this.#times.has(id);
  }

  add(id: string, now: number): void {
    // what began before that was approved before that, and is void by its age
    for (const [old, at] of this.#times) {
      if (now - at <= useWithinMs) break;
      this.#times.delete(old);
    }
    this.#times.set(id, now);
  }

  /** That it began could not be written down, so it did not. */
  forget(id: string): void {
    this.#times.delete(id);
  }
}

export async function executeApproval<T>(
  parts: CliffParts,
  id: string,
  execution: Execution<T>,
): Promise<T> {
  const { ledger } = parts;
  const begun = await begin(parts, id, execution);
  if (begun.state !== "executing") {
    throw new LuminaGuardError("APPROVAL_VOID", `approval ${begun.shortId}: ${begun.outcome}`, {
      hint: "ask again: a new card is needed",
    });
  }
  const end = async (to: "done" | "failed", outcome: string): Promise<void> => {
    await ledger.commit((transaction) => moveApproval(transaction, begun, to, outcome));
  };
  let result: T;
  try {
    result = await execution.run(begun.envelope);
  } catch (error) {
    await end("failed", messageOf(error));
    throw error;
  }
  await end("done", "");
  return result;
}

/** The approval as `executing`, or as `cancelled` where it is void. Nothing has begun when this throws. */
async function begin<T>(parts: CliffParts, id: string, execution: Execution<T>): Promise<Approval> {
  let isAdded = false;
  const committed = parts.ledger.commit((transaction) => {
    const approval = transaction.get(id);
    if (approval === undefined) throw notFound(id);
    if (approval.state !== "approved") throw alreadyDecided(approval);
    const why = findVoid(parts, approval, execution);
    if (why !== undefined) return moveApproval(transaction, approval, "cancelled", why);
    execution.begun.add(id, transaction.now);
    isAdded = true;
    return moveApproval(transaction, approval, "executing", "");
  });
  return committed.catch((error: unknown) => {
    if (isAdded) execution.begun.forget(id);
    throw error;
  });
}

/** Why an approval no longer stands. */
function findVoid(
  parts: CliffParts,
  approval: Approval,
  { toolFingerprint, rules, begun }: Omit<Execution<unknown>, "run">,
): string | undefined {
  const { ledger, engine, key, owner } = parts;
  const { envelope, decision } = approval;
  const forgery = findForgery(approval, key);
  if (forgery !== undefined) return forgery;
  if (begun.has(envelope.id)) return "it was carried out already";
  if (approval.owner !== owner) return "another process asked for it";
  if (envelope.policyVersion !== engine.version) return "the policy changed";
  if (envelope.toolFingerprint !== toolFingerprint) return "the tool changed";
  const age = ledger.now() - Date.parse(decision?.at ?? envelope.createdAt);
  if (age > useWithinMs) return "it was not used in time";
  const promptsInRun = ledger.countPrompts(envelope.run);
  const options = { promptsInRun, rules, grants: ledger.grants() };
  const { verdict } = judgeEnvelope(engine, envelope, options);
  return verdict.answer === "deny" ? `policy says no: ${verdict.reason}` : undefined;
}
