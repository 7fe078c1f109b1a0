import type { SecretUse } from "../../effect.ts";
import { showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

export function describeSecretUse({ secret, host, isOwnHost }: SecretUse): EffectWords {
  return {
    onYes: `the secret ${showName(secret)} is sent to ${showName(host)}`,
    flags: isOwnHost ? [] : ["not a host of this secret: what is sent cannot be taken back"],
    facts: [
      ["secret", showName(secret)],
      ["host", showName(host)],
    ],
  };
}
