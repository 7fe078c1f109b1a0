import type { EffectWords } from "./effect-words.ts";

export function describeNetworkCard(): EffectWords {
  return {
    onYes: "the machine gets a network card: what is in it can be sent anywhere",
    flags: ["no address is asked about", "it reaches this host's own services too"],
    facts: [],
  };
}
