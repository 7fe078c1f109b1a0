/** What is said of an image from outside that cannot be used. */
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";

/** IMAGE_INVALID: the image's own bytes are wrong, or more than is taken. */
export function invalidImage(
  what: string,
  options: { hint?: string; cause?: unknown } = {},
): LuminaGuardError {
  return new LuminaGuardError("IMAGE_INVALID", `the image cannot be used: ${what}`, options);
}

/** Text of an image, for a message. */
export function quote(text: string): string {
  const max = 200;
  return JSON.stringify(escapeText(text.length > max ? `${text.slice(0, max)}…` : text));
}
