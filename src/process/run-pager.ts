/** The person's own pager on the person's terminal: `$PAGER`. */
import { runOnTerminal } from "./run-on-terminal.ts";
import type { TerminalProgram } from "./run-on-terminal.ts";

export type PagerSettings = TerminalProgram;

/**
 * Shows the text; resolves when the person leaves, or when the signal ended the pager. Raises
 * PROCESS_FAILED when the pager cannot be started.
 */
export async function runPager(
  pager: PagerSettings,
  text: string,
  signal?: AbortSignal,
): Promise<void> {
  await runOnTerminal(pager, { input: text, hint: "unset PAGER to see it here", signal });
}
