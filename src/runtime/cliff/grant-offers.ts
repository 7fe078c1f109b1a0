/** The grants that a card may offer, each with the exact rule that it would add. */
import type { GrantText } from "../../approvals/card/build-card.ts";
import type { ActionEnvelope } from "../../approvals/envelope.ts";
import type { Grant } from "../../approvals/grant.ts";
import { proposeGrant } from "../../approvals/grants.ts";
import type { GrantWish } from "../../approvals/grants.ts";
import { argumentsOf } from "../../approvals/judge.ts";
import { isLuminaGuardError } from "../../errors.ts";
import type { OpenCliff } from "./cliff-desk.ts";
import { writeBackTool } from "./write-back.ts";

export interface OfferedGrant {
  readonly grant: Grant;
  readonly offer: GrantText;
}

const dayMs = 24 * 3600 * 1000;
const usesMax = 20;
const wishes: readonly (Omit<GrantWish, "args"> & Pick<GrantText, "scopeKind">)[] = [
  { scopeKind: "task", reach: "task", usesMax, lifeMs: dayMs },
  { scopeKind: "run", reach: "run", usesMax, lifeMs: dayMs },
  { scopeKind: "7 days", reach: "anywhere", usesMax, lifeMs: 7 * dayMs },
];
/** a rule with more conditions is not read before it is agreed to */
const argumentsMax = 12;

/**
 * For calls with these very arguments; a wider one is written by hand (`approvals grant add`). None where
 * no grant is given for this; the card then says nothing of grants.
 */
export function offerGrants(
  { policy, ledger }: Pick<OpenCliff, "policy" | "ledger">,
  envelope: ActionEnvelope,
): readonly OfferedGrant[] {
  const args = fixedArguments(envelope);
  if (Object.keys(args).length > argumentsMax) return [];
  return wishes.flatMap(({ scopeKind, ...wish }) => {
    try {
      const grant = proposeGrant(envelope, { ...wish, args }, policy, ledger.now());
      return [{ grant, offer: { scopeKind, usesMax, text: grant.text } }];
    } catch (error) {
      if (isLuminaGuardError(error, "GRANT_REFUSED")) return [];
      throw error;
    }
  });
}

/** Of a write-back only its folder: no change set comes twice. */
function fixedArguments(envelope: ActionEnvelope): Readonly<Record<string, string>> {
  const args = argumentsOf(envelope);
  if (envelope.tool !== writeBackTool) return args;
  const { "/root": root } = args;
  return root === undefined ? {} : { "/root": root };
}
