/**
 * Text from a hostile source, made safe for a terminal: whatever moves the cursor, turns the writing
 * direction or cannot be seen is written out as an escape. What is left is what a person sees.
 */

/** Controls, formats (bidi, zero width, tags), surrogates, line separators, fillers, selectors. */
const invisible =
  // eslint-disable-next-line no-misleading-character-class -- each code point is meant
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u{fe00}-\u{fe0e}\u{e0000}-\u{e0fff}]/gu;

export interface EscapeTextOptions {
  /** characters that pass although they are controls, such as `"\t"` */
  readonly keep?: string;
}

/** One line of text; line ends are escaped too unless kept. */
export function escapeText(text: string, options: EscapeTextOptions = {}): string {
  const keep = options.keep ?? "";
  return text.replace(invisible, (character) =>
    keep.includes(character) ? character : escapeCharacter(character),
  );
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
}
