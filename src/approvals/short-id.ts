/** Ids that a person can type: four letters and digits that cannot be mistaken for one another. */
import { randomInt } from "node:crypto";

/** Crockford's base 32: no I, L, O, U */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function makeShortId(): string {
  return Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join("");
}
