/** What options and help texts of all commands are made of. */
import { InvalidArgumentError } from "commander";

/** Carries a command's exit code to the program. */
export type Done = (code: Promise<number>) => Promise<void>;

export function examples(rows: readonly (readonly [string, string])[]): string {
  return `\nExamples:\n${rows.map(([what, line]) => `  # ${what}\n  ${line}`).join("\n")}`;
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && text.trim() !== "") return value;
  throw new InvalidArgumentError("It must be a whole number.");
}

export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

export function commaList(value: string): string[] {
  return value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
