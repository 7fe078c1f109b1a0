/** What may reach a person's terminal, checked without the code that makes it so. */

/** What is wrong with bytes that are to be shown: `undefined` when nothing is. */
export function findUnsafe(shown: Buffer): string | undefined {
  const text = shown.toString("utf8");
  if (!Buffer.from(text).equals(shown)) return "it is not UTF-8";
  // eslint-disable-next-line no-control-regex -- colours start with one
  const bare = text.replaceAll(/\u001b\[[0-9:;]*m/g, "");
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.exec(bare)?.[0];
  return control === undefined ? undefined : `it has ${JSON.stringify(control)}`;
}

/**
 * Code points that no card may show as they are, written down without Unicode properties: controls,
 * bidi, zero width, fillers, selectors, tags, private use, blanks that are no space.
 */
const hiddenRanges: readonly (readonly [first: number, last: number])[] = [
  ...([
    [0x00, 0x1f],
    [0x7f, 0xa0],
    [0xad, 0xad],
    [0x34f, 0x34f],
    [0x61c, 0x61c],
  ] as const),
  ...([
    [0x115f, 0x1160],
    [0x1680, 0x1680],
    [0x17b4, 0x17b5],
    [0x180b, 0x180f],
  ] as const),
  ...([
    [0x2000, 0x200f],
    [0x2028, 0x202f],
    [0x205f, 0x206f],
    [0x2800, 0x2800],
  ] as const),
  ...([
    [0x3000, 0x3000],
    [0x3164, 0x3164],
    [0xd800, 0xf8ff],
    [0xfe00, 0xfe0f],
  ] as const),
  ...([
    [0xfeff, 0xfeff],
    [0xffa0, 0xffa0],
    [0xfff0, 0xfffb],
    [0xfffe, 0xffff],
  ] as const),
  ...([
    [0x1bca0, 0x1bca3],
    [0x1d159, 0x1d159],
    [0x1d173, 0x1d17a],
  ] as const),
  ...([
    [0xe0000, 0xe0fff],
    [0xf0000, 0x10ffff],
  ] as const),
];

const hidden = new RegExp(
  `[${hiddenRanges
    .map((range) => range.map((code) => `\\u{${code.toString(16)}}`).join("-"))
    .join("")}]`,
  "u",
);

/** The first character a person could not see, as `U+202E`: `undefined` when there is none. */
export function findHidden(text: string): string | undefined {
  const code = hidden.exec(text)?.[0].codePointAt(0);
  return code === undefined ? undefined : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** One of each kind, for tests that want the worst in little room. */
export const hiddenCharacters: readonly string[] = hiddenRanges
  .filter(([first]) => first !== 0xd800)
  .flatMap((range) => range.map((code) => String.fromCodePoint(code)));
