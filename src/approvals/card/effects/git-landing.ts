import type { GitLanding } from "../../effect.ts";
import { showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

export function describeGitLanding(effect: GitLanding): EffectWords {
  const { repository, ref, before, after, isForced } = effect;
  const from = before === null ? "a new ref" : showName(before);
  return {
    onYes: `${showName(ref)} of ${showName(repository)} becomes ${showName(after)}`,
    flags: isForced ? ["forced: commits of the old ref are dropped"] : [],
    facts: [
      ["repository", showName(repository)],
      ["ref", showName(ref)],
      ["from", from],
      ["to", showName(after)],
    ],
  };
}
