/** What `--apply` can say. */
import { nearestNames } from "../base/nearest.ts";
import { LuminaGuardError } from "../errors.ts";

const applyWords = ["ask", "never", "always"] as const;
export type ApplyWord = (typeof applyWords)[number];

/** Raises USAGE with the nearest word. */
export function parseApplyWord(text: string): ApplyWord {
  const word = applyWords.find((known) => known === text);
  if (word !== undefined) return word;
  const nearest = nearestNames(text, applyWords, 1)[0];
  throw new LuminaGuardError("USAGE", `--apply cannot be "${text}"`, {
    hint:
      nearest === undefined
        ? `it is one of ${applyWords.join(", ")}`
        : `did you mean "${nearest}"?`,
  });
}
