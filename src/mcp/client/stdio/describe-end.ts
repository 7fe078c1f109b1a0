/** How a server ended, in words: its exit and its last lines. What it wrote is hostile text. */
import { escapeText } from "../../../base/escape-text.ts";
import type { ChildExit } from "../../../process/child.ts";

/** most of its last lines that are told */
const linesMax = 3;
/** most of a line that is told, in `characters` */
const lineMax = 200;

/** `it ended with exit code 1: cannot open the database`, on one line. */
export function describeEnd(exit: ChildExit | undefined, stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .slice(-linesMax)
    .map((line) => escapeText(line.slice(0, lineMax)));
  const words = lines.length === 0 ? "" : `: ${lines.join(" | ")}`;
  return `${describeExit(exit)}${words}`;
}

/** The last of what it wrote, its lines kept. */
export function escapeTail(stderr: string): string {
  return escapeText(stderr, { keep: "\n\t" });
}

function describeExit(exit: ChildExit | undefined): string {
  if (exit === undefined) return "it did not end yet";
  const { exitCode, signal } = exit;
  return exitCode === null
    ? `it was ended by ${String(signal)}`
    : `it ended with exit code ${exitCode}`;
}
