/**
 * A pending envelope that a person edited: a new one takes its place and waits to be approved by itself.
 * The asker waits on. The old one's end names the new one, and the new one names the old one.
 */
import type { Approval } from "./approval.ts";
import { envelopeEntry } from "./audit-entries.ts";
import { buildEnvelope } from "./build-envelope.ts";
import type { CliffParts } from "./cliff-parts.ts";
import type { ActionEnvelope, EnvelopeDraft } from "./envelope.ts";
import type { Ledger } from "./ledger.ts";
import { findAnswerable, moveApproval, notFound } from "./move-approval.ts";
import { openAnswered } from "./open-approval.ts";
import type { PolicyVerdict } from "./policy.ts";

/** What a person changed; all else of the envelope stays. */
export interface Edit extends Pick<EnvelopeDraft, "args"> {
  /** where they follow from the arguments @default those of the envelope that is edited */
  readonly effects?: EnvelopeDraft["effects"];
}

export interface EditOptions {
  readonly judge: (envelope: ActionEnvelope) => PolicyVerdict;
  readonly shortId: string;
}

const editedInto = "edited into ";

/** The old one, cancelled, and the new one: pending, or rejected where policy denies it. */
export async function editApproval(
  parts: CliffParts,
  id: string,
  edit: Edit,
  { judge, shortId }: EditOptions,
): Promise<{ readonly old: Approval; readonly edited: Approval }> {
  const { ledger, engine, owner: self, timeoutMs } = parts;
  const shown = ledger.get(id);
  if (shown === undefined) throw notFound(id);
  const { owner, envelope } = shown;
  const sealed = buildEnvelope(
    { ...draftOf(envelope), ...edit, replaces: id },
    {
      now: ledger.now(),
      timeoutMs,
      // its asker carries it out, and compares with the policy it has
      policyVersion: owner === self ? engine.version : envelope.policyVersion,
    },
  );
  const opened = openAnswered(parts, sealed, judge(sealed.envelope), shortId);
  const edited: Approval = { ...opened, owner };
  return ledger.commit((transaction) => {
    const pending = findAnswerable(transaction, id);
    const why = `${editedInto}${sealed.envelope.id}`;
    const old = moveApproval(transaction, pending, "cancelled", why);
    transaction.insert(edited);
    transaction.record(envelopeEntry(edited));
    return { old, edited };
  });
}

/** What it was edited into in the end; itself when nobody edited it. */
export function followEdits(ledger: Pick<Ledger, "get">, approval: Approval): Approval {
  for (let last = approval; ;) {
    const next = findEdited(ledger, last);
    if (next === undefined) return last;
    last = next;
  }
}

function findEdited(
  ledger: Pick<Ledger, "get">,
  { envelope, state, outcome }: Approval,
): Approval | undefined {
  if (state !== "cancelled" || !outcome.startsWith(editedInto)) return undefined;
  const next = ledger.get(outcome.slice(editedInto.length));
  return next?.envelope.replaces === envelope.id ? next : undefined;
}

function draftOf(envelope: ActionEnvelope): EnvelopeDraft {
  const {
    v: _form,
    id: _id,
    policyVersion: _policy,
    createdAt: _from,
    expiresAt: _until,
    nonce: _nonce,
    ...draft
  } = envelope;
  return draft;
}
