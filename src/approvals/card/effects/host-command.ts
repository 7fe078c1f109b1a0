import type { HostCommand } from "../../effect.ts";
import { showArgv, showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

export function describeHostCommand({ argv, cwd }: HostCommand): EffectWords {
  return {
    onYes: "exactly this command runs once on your computer, outside of any machine, as you",
    flags: ["runs on your computer, not in a machine"],
    facts: [
      ["command", showArgv(argv)],
      ["in", showName(cwd)],
    ],
  };
}
