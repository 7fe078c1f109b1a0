/**
 * Words that are not what they look like: letters of several scripts in one word (`pаypal` with a
 * Cyrillic а), styled letters, and letters that turn the writing direction. They are flagged and not
 * escaped, since each of their letters is an honest letter somewhere.
 */
import { escapeText } from "../../base/escape-text.ts";

const scripts: readonly (readonly [name: string, letters: RegExp])[] = [
  // full-width, mathematical and letter-like forms, most of which are Latin letters too
  ["styled", /[\uff21-\uff3a\uff41-\uff5a\u{1d400}-\u{1d7ff}\u2100-\u214f]/u],
  ["Latin", /\p{Script=Latin}/u],
  ["Cyrillic", /\p{Script=Cyrillic}/u],
  ["Greek", /[\p{Script=Greek}\p{Script=Coptic}]/u],
  ["Armenian", /\p{Script=Armenian}/u],
  ["Cherokee", /\p{Script=Cherokee}/u],
  ["Georgian", /\p{Script=Georgian}/u],
  ["Hebrew", /\p{Script=Hebrew}/u],
  ["Arabic", /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u],
  // one group: Japanese and Korean mix them in a word
  ["East Asian", /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u],
];
/** these stand beside Latin letters in ordinary words, such as Tシャツ */
const besideLatin = new Set(["East Asian"]);
const otherLetters = /[^\p{Script=Common}\p{Script=Inherited}]/u;
const rightToLeft =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
/** most words that are named */
const namedMax = 3;

/** One flag for each kind of trap in the texts, naming the first words. */
export function flagLookAlikes(texts: Iterable<string>): readonly string[] {
  const mixed = new Map<string, string>();
  const turned = new Set<string>();
  for (const text of texts) {
    // every trap is outside of ASCII
    if (/^[\0-\x7f]*$/.test(text)) continue;
    for (const [word] of text.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
      const found = scriptsOf(word);
      if (isTrap(found)) mixed.set(word, [...found].join(" and "));
      else if (rightToLeft.test(word)) turned.add(word);
    }
  }
  const mixedWords = [...mixed].map(([word, how]) => `${nameWord(word)} (${how})`);
  return [
    ...nameSome("mixes alphabets in one word", mixedWords),
    ...nameSome(
      "right-to-left letters, so the order on screen can mislead",
      [...turned].map(nameWord),
    ),
  ];
}

/** The scripts a word is made of. */
function scriptsOf(word: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const letter of word) {
    const script = scripts.find(([, letters]) => letters.test(letter))?.[0];
    if (script !== undefined) found.add(script);
    else if (/\p{L}/u.test(letter) && otherLetters.test(letter)) found.add("another");
  }
  return found;
}

function isTrap(found: ReadonlySet<string>): boolean {
  if (found.has("styled")) return true;
  const counted = [...found].filter((script) => !besideLatin.has(script));
  // Latin with East Asian letters is a word; Cyrillic with them is not
  return counted.length > 1 || (counted.length < found.size && counted.some((s) => s !== "Latin"));
}

function nameSome(what: string, words: readonly string[]): readonly string[] {
  if (words.length === 0) return [];
  const more = words.length - namedMax;
  const rest = more > 0 ? ` and ${more} more` : "";
  return [`${what}: ${words.slice(0, namedMax).join(", ")}${rest}`];
}

function nameWord(word: string): string {
  const shown = escapeText(word);
  return shown.length <= 40 ? shown : `${shown.slice(0, 39).toWellFormed()}…`;
}
