/** Turns a yes into a remembered one, as narrowly as it was asked for, or refuses to. */
import { ulid } from "ulid";
import { LuminaGuardError } from "../errors.ts";
import type { EffectKind } from "./effect.ts";
import type { ActionEnvelope } from "./envelope.ts";
import type { Grant } from "./grant.ts";
import { assessAll } from "./risk.ts";
import type { GrantScope, PolicyEngine } from "./policy.ts";

export interface GrantWish {
  /** how far it reaches: this task, this run, or any run of this asker */
  readonly reach: "task" | "run" | "anywhere";
  /** arguments that must stay as they are, by JSON Pointer */
  readonly args: Readonly<Record<string, string>>;
  readonly usesMax: number;
  /** how long it stands, in `ms` */
  readonly lifeMs: number;
}

/** the contract's longest: seven days */
export const grantLifeMsMax: number = 7 * 24 * 3600 * 1000;
const usesMaxMax = 1000;

/**
 * The grant with the exact rule it adds, for the card; it stands once a decision carries it.
 * Raises GRANT_REFUSED for what is never granted: tainted askers, several effects at once, what cannot
 * be taken back, programs that run other programs.
 */
export function proposeGrant(
  envelope: ActionEnvelope,
  wish: GrantWish,
  engine: PolicyEngine,
  now: number,
): Grant {
  const [effect, ...others] = envelope.effects;
  if (envelope.taint.tainted) refuse("the asker has read text from outside");
  if (effect === undefined || others.length > 0) refuse("it has several effects");
  if (assessAll(envelope.effects, false).risk === "critical") refuse("its risk is critical");
  if (wish.reach === "task" && envelope.task === null) refuse("there is no task it belongs to");
  const scope: GrantScope = {
    who: envelope.who,
    effect: effect.kind,
    tool: envelope.tool,
    resource: engine.resourceOf(effect),
    run: wish.reach === "anywhere" ? null : envelope.run,
    task: wish.reach === "task" ? envelope.task : null,
    args: wish.args,
  };
  return makeGrant(scope, wish, engine, now);
}

/** asked about each time: two are never less than critical, and a rule about rules is none */
const neverGranted: ReadonlySet<EffectKind> = new Set([
  "host-command",
  "network-card",
  "policy-change",
]);

/** Raises GRANT_REFUSED, or USAGE for numbers out of bounds. */
export function makeGrant(
  scope: GrantScope,
  { usesMax, lifeMs }: Pick<GrantWish, "usesMax" | "lifeMs">,
  engine: PolicyEngine,
  now: number,
): Grant {
  if (neverGranted.has(scope.effect)) refuse(`${scope.effect} is asked about each time`);
  if (!Number.isSafeInteger(usesMax) || usesMax < 1 || usesMax > usesMaxMax) {
    throw new LuminaGuardError("USAGE", `a grant is for 1 to ${usesMaxMax} uses`);
  }
  if (!(lifeMs > 0 && lifeMs <= grantLifeMsMax)) {
    throw new LuminaGuardError("USAGE", "a grant lasts 7 days at most");
  }
  return {
    id: ulid(now),
    scope,
    text: engine.writeGrant(scope),
    usesMax,
    uses: 0,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + lifeMs).toISOString(),
    revokedAt: null,
  };
}

function refuse(why: string): never {
  throw new LuminaGuardError("GRANT_REFUSED", `no grant is given for this: ${why}`, {
    hint: "approve it once instead",
  });
}
