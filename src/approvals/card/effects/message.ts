import type { MessageToPerson } from "../../effect.ts";
import { showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

export function describeMessage({ channel, recipients }: MessageToPerson): EffectWords {
  const count = recipients.length;
  return {
    onYes: `the message goes out through ${showName(channel)} and cannot be taken back`,
    flags: count > 1 ? [`goes to ${count} recipients`] : [],
    facts: [
      ["through", showName(channel)],
      ["to", recipients.map(showName).join("\n")],
    ],
  };
}
