/** From what an asker gives to the envelope that is judged, shown and executed. */
import { randomBytes } from "node:crypto";
import { ulid } from "ulid";
import { LuminaGuardError } from "../errors.ts";
import { digestOf, toCanonicalJson } from "./canonical.ts";
import type { ActionEnvelope, EnvelopeDraft } from "./envelope.ts";
import { envelopeBytesMax, parseDraft } from "./envelope-schema.ts";

export interface EnvelopeGround {
  /** the ledger's time in `ms` since 1970 */
  readonly now: number;
  /** how long a card stays open, in `ms` */
  readonly timeoutMs: number;
  readonly policyVersion: string;
}

export interface SealedEnvelope {
  readonly envelope: ActionEnvelope;
  readonly digest: string;
}

/** what is not known to come from the person is not trusted */
const unknownTaint = { tainted: true, sources: ["unknown"] };

/** Raises ENVELOPE_INVALID for a draft that is none, or too large. */
export function buildEnvelope(given: EnvelopeDraft, ground: EnvelopeGround): SealedEnvelope {
  const { now, timeoutMs, policyVersion } = ground;
  const draft = parseDraft(given);
  const envelope: ActionEnvelope = deepFreeze({
    v: 1,
    id: ulid(now),
    who: draft.who,
    parents: draft.parents ?? [],
    run: draft.run,
    task: draft.task ?? null,
    machine: draft.machine ?? null,
    tool: draft.tool,
    args: draft.args,
    effects: draft.effects,
    operands: draft.operands ?? [],
    policyVersion,
    toolFingerprint: draft.toolFingerprint ?? null,
    taint: draft.taint ?? unknownTaint,
    says: draft.says ?? "",
    replaces: draft.replaces ?? null,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + timeoutMs).toISOString(),
    nonce: randomBytes(16).toString("hex"),
  });
  const size = Buffer.byteLength(toCanonicalJson(envelope));
  if (size > envelopeBytesMax) {
    throw new LuminaGuardError("ENVELOPE_INVALID", `the envelope is ${size} bytes`, {
      hint: `an envelope is at most ${envelopeBytesMax} bytes; put contents into operands`,
    });
  }
  return { envelope, digest: digestOf(envelope) };
}

/** Nobody changes what was judged, not even by accident. `parseDraft` made a copy of its own. */
function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
