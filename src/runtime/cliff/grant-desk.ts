/** Grants beside a card: made by hand, and taken back. */
import { grantEntry } from "../../approvals/audit-entries.ts";
import type { Grant } from "../../approvals/grant.ts";
import { makeGrant as make } from "../../approvals/grants.ts";
import type { GrantWish } from "../../approvals/grants.ts";
import type { GrantScope } from "../../approvals/policy.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { OpenCliff } from "./cliff-desk.ts";

/** Not in force before `addGrant`. Raises GRANT_REFUSED, or USAGE for numbers out of bounds. */
export function makeGrant(
  { policy, ledger }: OpenCliff,
  scope: GrantScope,
  wish: Pick<GrantWish, "usesMax" | "lifeMs">,
): Grant {
  return make(scope, wish, policy, ledger.now());
}

export function addGrant({ ledger }: OpenCliff, grant: Grant): Promise<void> {
  return ledger.commit((transaction) => {
    transaction.addGrant(grant);
    transaction.record(grantEntry("grant-added", grant));
  });
}

/** Raises APPROVAL_NOT_FOUND when no grant of that id stands. */
export async function revokeGrant({ ledger }: OpenCliff, id: string): Promise<void> {
  const grant = ledger.grants().find((each) => each.id === id.toUpperCase());
  const isRevoked =
    grant !== undefined &&
    (await ledger.commit((transaction) => {
      if (!transaction.revokeGrant(grant.id)) return false;
      transaction.record(grantEntry("grant-revoked", grant));
      return true;
    }));
  if (isRevoked) return;
  throw new LuminaGuardError("APPROVAL_NOT_FOUND", "no grant of that id stands", {
    hint: "luminaguard approvals grant ls  shows those there are",
  });
}
