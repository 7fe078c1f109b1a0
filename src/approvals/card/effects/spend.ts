import type { Spend } from "../../effect.ts";
import { showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

export function describeSpend({ amountMinor, currency, payee }: Spend): EffectWords {
  const whole = Math.floor(amountMinor / 100);
  const amount = `${whole}.${String(amountMinor % 100).padStart(2, "0")} ${showName(currency)}`;
  return {
    onYes: `${amount} goes to ${showName(payee)}`,
    flags: [],
    facts: [
      ["amount", amount],
      ["payee", showName(payee)],
    ],
  };
}
