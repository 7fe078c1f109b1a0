/** Which candidates a person's word for a hypervisor means. */
import { renderDidYouMean } from "../../base/nearest.ts";
import { LuminaGuardError } from "../../errors.ts";
import { nameOf } from "./candidate.ts";
import type { Candidate } from "./candidate.ts";

/** the word that leaves the choice to the canaries */
export const anyHypervisor = "auto";

/**
 * Those of `candidates` that `word` means: every one for `auto`, a backend's, or the one of a backend
 * with an accelerator. Raises CONFIG_INVALID with the nearest names when it means none.
 */
export function pickCandidates<Named extends Pick<Candidate, "backend" | "accelerator">>(
  word: string,
  candidates: readonly Named[],
): readonly Named[] {
  if (word === anyHypervisor) return candidates;
  const meant = candidates.filter((each) => each.backend === word || nameOf(each) === word);
  if (meant.length > 0) return meant;
  const backends = new Set(candidates.map(({ backend }) => backend));
  const known = [anyHypervisor, ...backends, ...candidates.map(nameOf)];
  throw new LuminaGuardError("CONFIG_INVALID", `no hypervisor of this platform is called ${word}`, {
    hint: renderDidYouMean(word, known) ?? `known here: ${known.join(", ")}`,
  });
}
