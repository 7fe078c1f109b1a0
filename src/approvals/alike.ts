/** Requests that ask for the very same thing, so that one look answers them all. */
import { toCanonicalJson } from "./canonical.ts";
import type { Approval } from "./approval.ts";
import type { ActionEnvelope } from "./envelope.ts";
import type { Ledger } from "./ledger.ts";

/** Others that wait with the same asker and the same content, oldest first: only id, time and nonce differ. */
export function findAlike(ledger: Ledger, { envelope }: Approval): readonly Approval[] {
  const shape = shapeOf(envelope);
  return ledger
    .list({ states: ["pending"], run: envelope.run })
    .filter((other) => other.envelope.id !== envelope.id && shapeOf(other.envelope) === shape)
    .reverse();
}

function shapeOf(envelope: ActionEnvelope): string {
  const { id: _id, nonce: _nonce, createdAt: _from, expiresAt: _until, ...rest } = envelope;
  return toCanonicalJson(rest);
}
