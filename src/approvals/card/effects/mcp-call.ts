import type { McpCall } from "../../effect.ts";
import { showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

const harms: Readonly<Record<McpCall["harm"], readonly string[]>> = {
  harmless: [],
  unknown: [],
  destructive: ["destructive, as you configured it"],
};

export function describeMcpCall({ server, tool, harm, isFirstCall }: McpCall): EffectWords {
  return {
    onYes: "this exact call runs once; nothing is remembered",
    flags: [...harms[harm], ...(isFirstCall ? ["first call of this tool"] : [])],
    facts: [
      ["server", showName(server)],
      ["tool", showName(tool)],
    ],
  };
}
