/** Text as a Cedar string literal: what stands on a card is what the engine reads, character by character. */
import { LuminaGuardError } from "../errors.ts";

/**
 * Everything that is no plain ASCII letter, digit or sign and could be invisible, combine with its
 * neighbour or turn the line around is written as `\u{…}`. Letters of any script stay.
 */
const special = /["\\]|[^\p{L}\p{N}\p{P}\p{S} ]|[\u115f\u1160\u3164\uffa0]/gu;

/** Raises USAGE for half of a character, which has no spelling. */
export function cedarString(text: string): string {
  if (!text.isWellFormed()) {
    throw new LuminaGuardError("USAGE", "half of a character cannot be part of a rule");
  }
  return `"${text.replace(special, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
