/** Words for any effect. */
import type { Effect } from "../../effect.ts";
import type { EffectWords } from "./effect-words.ts";
import { describeFileWriteBack } from "./file-write-back.ts";
import { describeGitLanding } from "./git-landing.ts";
import { describeHostCommand } from "./host-command.ts";
import { describeMcpCall } from "./mcp-call.ts";
import { describeMessage } from "./message.ts";
import { describeNetworkCard } from "./network-card.ts";
import { describeNetworkGrant } from "./network-grant.ts";
import { describePolicyChange } from "./policy-change.ts";
import { describeSecretUse } from "./secret-use.ts";
import { describeSpend } from "./spend.ts";

export function describeEffect(effect: Effect): EffectWords {
  switch (effect.kind) {
    case "file-write-back":
      return describeFileWriteBack(effect);
    case "host-command":
      return describeHostCommand(effect);
    case "network-grant":
      return describeNetworkGrant(effect);
    case "network-card":
      return describeNetworkCard();
    case "secret-use":
      return describeSecretUse(effect);
    case "mcp-call":
      return describeMcpCall(effect);
    case "git-landing":
      return describeGitLanding(effect);
    case "message":
      return describeMessage(effect);
    case "policy-change":
      return describePolicyChange(effect);
    case "spend":
      return describeSpend(effect);
  }
}
