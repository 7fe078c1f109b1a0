/** What a face says about a card: about the very envelope that it was given. */
import type { Answer } from "../../src/approvals/answer.ts";
import type { Approval } from "../../src/approvals/approval.ts";
import type { Cliff, RequestOptions } from "../../src/approvals/cliff.ts";
import type { CliffVerdict } from "../../src/approvals/cliff-verdict.ts";
import type { EnvelopeDraft } from "../../src/approvals/envelope.ts";

export function yes({ digest, envelope }: Approval): Answer {
  return { word: "approve", digest, nonce: envelope.nonce, by: "test" };
}

export function no({ digest, envelope }: Approval): Answer {
  return { word: "reject", digest, nonce: envelope.nonce, by: "test" };
}

export interface Asked {
  readonly card: Approval;
  /** what the asker is told in the end */
  readonly verdict: Promise<CliffVerdict>;
}

/** Asks, and resolves when it has become a card; throws when it became none. */
export async function ask(
  cliff: Cliff,
  draft: EnvelopeDraft,
  options: RequestOptions = {},
): Promise<Asked> {
  let verdict: Promise<CliffVerdict> | undefined;
  const card = await new Promise<Approval>((resolve, reject) => {
    verdict = cliff.request(draft, { ...options, onPending: resolve });
    verdict.then(
      ({ outcome, approval }) => reject(new Error(`no card: ${outcome} ${approval.outcome}`)),
      reject,
    );
  });
  if (verdict === undefined) throw new Error("nothing was asked");
  return { card, verdict };
}
