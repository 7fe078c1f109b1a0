import type { PolicyChange } from "../../effect.ts";
import type { EffectWords } from "./effect-words.ts";

const things: Readonly<Record<PolicyChange["what"], string>> = {
  policy: "the policy is changed",
  grant: "a grant is added: what it covers is not asked again",
  memory: "the agent's memory is changed, and what it does later with it",
  skill: "a skill is changed, and what runs when it is used",
};

export function describePolicyChange({ what, isWider }: PolicyChange): EffectWords {
  return { onYes: things[what], flags: isWider ? ["allows more than before"] : [], facts: [] };
}
