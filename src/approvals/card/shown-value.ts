/**
 * A value as it is shown: JSON, in which whatever a person could not see is an escape, so that what is
 * read back from the card is exactly what will run. A text of several lines is one literal a line,
 *
 *   "first\n"
 *   "second"
 *
 * which is the only thing here that JSON does not have. A name that is plain stands without quotes.
 */
import { escapeText, replaceHidden } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { JsonValue } from "../json.ts";

/** a list or object that fits is one line */
const lineColumnsMax = 64;
/** deeper values are shown on one line, whatever their length */
const depthMax = 32;

/** One JSON string literal: injective, and JSON whatever the text holds. */
export function showLiteral(text: string): string {
  return hideNothing(JSON.stringify(text));
}

/** A path, a host, a tool: plain if it can only be read one way, else a literal. */
export function showName(text: string): string {
  const isPlain = text !== "" && !/^ |["\\]| $| {2}/.test(text) && escapeText(text) === text;
  return isPlain ? text : showLiteral(text);
}

/** The lines of a value. `parseShown` of them, joined, is the value. */
export function showValue(value: JsonValue): readonly string[] {
  return show(value, 0);
}

/** JSON of several lines, as it is edited: every character that could not be seen is an escape. */
export function showJson(value: JsonValue): string {
  return JSON.stringify(value, undefined, 2).split("\n").map(hideNothing).join("\n");
}

/** An argv as it stands on a card. */
export function showArgv(argv: readonly string[]): string {
  return showValue(argv).join("\n");
}

/** Reads what `showValue` wrote. Raises ENVELOPE_INVALID for anything else. */
export function parseShown(shown: string): JsonValue {
  try {
    // no literal holds a line end, so a quote before one ends a literal
    return JSON.parse(shown.replace(/"\n *"/g, "")) as JsonValue;
  } catch (cause) {
    throw new LuminaGuardError("ENVELOPE_INVALID", "this is not a value as a card shows it", {
      cause,
    });
  }
}

/** The argv that a card shows. Raises ENVELOPE_INVALID for what no program can be given. */
export function parseShownArgv(shown: string): readonly string[] {
  const argv = parseShown(shown);
  const isArgv = (value: JsonValue): value is readonly string[] =>
    Array.isArray(value) && value.every((each) => typeof each === "string" && each.isWellFormed());
  if (isArgv(argv)) return argv;
  throw new LuminaGuardError("ENVELOPE_INVALID", "this is not an argv as a card shows it");
}

function show(value: JsonValue, depth: number): readonly string[] {
  if (typeof value === "string") return splitLines(value).map(showLiteral);
  if (value === null || typeof value !== "object") return [JSON.stringify(value)];
  if (depth >= depthMax) return [hideNothing(JSON.stringify(value))];
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const parts = Array.isArray(value)
    ? value.map((each: JsonValue) => show(each, depth + 1))
    : Object.entries(value).map(([name, each]) => {
        const [first = "", ...rest] = show(each, depth + 1);
        return [`${showLiteral(name)}: ${first}`, ...rest];
      });
  return joinParts(open, parts, close);
}

function joinParts(
  open: string,
  parts: readonly (readonly string[])[],
  close: string,
): readonly string[] {
  if (parts.every((lines) => lines.length === 1)) {
    const length = parts.reduce((sum, [line = ""]) => sum + line.length + 2, 2);
    if (length <= lineColumnsMax) return [`${open}${parts.flat().join(", ")}${close}`];
  }
  const last = parts.length - 1;
  const inner = parts.flatMap((lines, at) =>
    lines.map((line, row) => `  ${line}${row === lines.length - 1 && at < last ? "," : ""}`),
  );
  return [open, ...inner, close];
}

/** Each with its line end; the empty text is one empty line. */
function splitLines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [""];
}

/** JSON in, JSON out: characters that cannot be seen stand only inside literals. */
function hideNothing(json: string): string {
  return replaceHidden(json, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
