/**
 * The rows of a card: every argument in full, by name. A long one is cut where it stands, says how much
 * is missing, and has a section that holds it whole.
 */
import type { ActionEnvelope } from "../envelope.ts";
import type { Cut, Fact, TextSection } from "./card.ts";
import { showName, showValue } from "./shown-value.ts";

/** most of a value that stands in its row, in lines and characters */
const rowLinesMax = 24;
const rowCharactersMax = 2000;

export interface Facts {
  readonly facts: readonly Fact[];
  /** one for each value that was cut */
  readonly sections: readonly TextSection[];
}

interface FactOptions {
  /** shown before the arguments; a text may have several lines */
  readonly hostFacts: readonly (readonly [name: string, text: string])[];
  /** names of arguments that are shown elsewhere */
  readonly leftOut: readonly string[];
}

export function createFacts(
  envelope: Pick<ActionEnvelope, "args" | "operands">,
  { hostFacts, leftOut }: FactOptions,
): Facts {
  const operands = envelope.operands.map(
    ({ name, sha256, size }) => `${showName(name)} · ${size} bytes · ${showName(sha256)}`,
  );
  const rows: (readonly [name: string, lines: readonly string[]])[] = [
    ...hostFacts.map(([name, text]) => [name, text.split("\n")] as const),
    ...Object.entries(envelope.args)
      .filter(([name]) => !leftOut.includes(name))
      .map(([name, value]) => [showName(name), showValue(value)] as const),
    ...(operands.length > 0 ? [["with files", operands] as const] : []),
  ];
  const sections: TextSection[] = [];
  const facts = rows.map(([name, lines], at): Fact => {
    const { shown, cut } = cutLines(lines);
    if (cut === null) return { name, lines, cut, section: null };
    const section = `text:${at}`;
    sections.push({ kind: "text", id: section, title: name, lines });
    return { name, lines: shown, cut, section };
  });
  return { facts, sections };
}

/** As many whole lines as fit, and of a single long line its beginning. */
export function cutLines(lines: readonly string[]): {
  readonly shown: readonly string[];
  readonly cut: Cut | null;
} {
  const shown: string[] = [];
  let room = rowCharactersMax;
  for (const line of lines.slice(0, rowLinesMax)) {
    const part = line.length <= room ? line : cutCharacters(line, room);
    if (part !== "" || line === "") shown.push(part);
    room -= line.length;
    if (room <= 0) break;
  }
  const bytes = bytesOf(lines) - bytesOf(shown);
  const missing = lines.length - shown.length;
  if (bytes === 0 && missing === 0) return { shown: lines, cut: null };
  return { shown, cut: { lines: missing, bytes } };
}

/** Never half of a character. */
function cutCharacters(line: string, room: number): string {
  const part = line.slice(0, Math.max(0, room));
  return part.isWellFormed() ? part : part.slice(0, -1);
}

function bytesOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
}
