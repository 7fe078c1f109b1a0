/**
 * Sequences that take a terminal over and give it back. Before a card, every mode that a program could
 * have left on, so that it types, hides or moves something, is switched off. ECMA-48, and xterm's list
 * of private modes, which others follow.
 */
const escape = "\u001b";

/** modes off: cursor keys, reverse, origin, mouse, focus, paste, margins, colour and size reports */
const privateModes = [
  ...[1, 5, 6, 9, 69, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016],
  ...[2004, 2026, 2031, 2048],
];

/** What a hostile program may have left, except where text goes, which is for the alternate screen. */
const reset = [
  `${escape}[?${privateModes.join(`l${escape}[?`)}l`,
  `${escape}[2l${escape}[4l`, // keyboard locked, insert mode
  `${escape}>`, // application keypad
  `${escape}[<99u`, // extended keyboard
  `${escape}[r`, // scroll region
  `${escape}(B${escape})B\u000f`, // line drawing characters
  `${escape}]104${escape}\\${escape}]110${escape}\\${escape}]111${escape}\\`, // colours
  `${escape}[?7h${escape}[?25h${escape}[0m`, // wrap, cursor, plain text
].join("");

/**
 * Leaves an alternate screen that is not ours, enters ours, and switches off what types. The cursor is
 * saved first: leaving a screen that nobody entered would move it.
 */
export const enterScreen: string = `${escape}7${escape}[?1049l${escape}[?1049h${reset}${escape}[?25l${escape}[2J${escape}[H`;

export const leaveScreen: string = `${escape}[0m${escape}[?25h${escape}[?1049l`;

/** A whole screen of rows, drawn over the last one. */
export function drawRows(rows: readonly string[]): string {
  return `${escape}[H${rows.map((row) => `${row}${escape}[0m${escape}[K`).join("\r\n")}${escape}[J`;
}
