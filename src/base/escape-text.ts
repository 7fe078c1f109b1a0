/**
 * Text from a hostile source, made safe for a terminal: whatever moves the cursor, turns the writing
 * direction, looks like a space or cannot be seen is written out as an escape. What is left is what a
 * person sees.
 */

/**
 * Controls, formats (bidi, zero width, tags), surrogates, private and unassigned characters, every
 * separator but the space, and what Unicode lets a screen leave out (fillers, variation selectors).
 * The last two are letters by their category and blank by their looks.
 */
const hidden = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800\u{1d159}]/gu;

export interface EscapeTextOptions {
  /** characters that pass although they are controls, such as `"\t"` */
  readonly keep?: string;
}

/** One line of text; line ends are escaped too unless kept. */
export function escapeText(text: string, options: EscapeTextOptions = {}): string {
  const keep = options.keep ?? "";
  return replaceHidden(text, (character) =>
    keep.includes(character) ? character : escapeCharacter(character),
  );
}

/** Writes out each character that a person could not see, one call per code point. */
export function replaceHidden(text: string, write: (character: string) => string): string {
  return text.replace(hidden, write);
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
}
