/**
 * What becomes of a change set: applied by a rule, asked about on a card, or kept. Nobody to ask means
 * no; what was not applied is kept, and the command that brings it back is printed.
 */
import { escapeText } from "../base/escape-text.ts";
import { isLuminaGuardError } from "../errors.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { ApplyChoice, ChangeSet } from "../runtime/values.ts";
import { askAboutChanges } from "../tui/ask-about-changes.ts";
import { renderChangeCard } from "../tui/change-card.ts";
import { openKeyboard } from "../tui/keys.ts";
import { exitCodes } from "./exit-codes.ts";
import { say } from "./io.ts";
import type { CliIo } from "./io.ts";
import type { ApplyWord } from "./apply-word.ts";

export interface Decision {
  readonly exitCode: number;
  /** paths that are now in the folder */
  readonly applied: readonly string[];
  /** id under which the rest is kept */
  readonly changeSet: string | undefined;
}

export interface DecideOptions {
  readonly apply: ApplyWord;
  /** stderr stays silent and nobody is asked */
  readonly quiet: boolean;
  readonly signal?: AbortSignal | undefined;
}

export async function decideChanges(
  io: CliIo,
  lumina: LuminaGuard,
  set: ChangeSet,
  options: DecideOptions,
): Promise<Decision> {
  const { apply, quiet } = options;
  const keyboard = apply === "ask" && !quiet && io.isInteractive ? openKeyboard() : undefined;
  const expiresInS = keyboard === undefined ? undefined : lumina.config.approvalTimeoutS;
  const { columns, style } = io;
  if (!quiet) say(io, `\n${renderChangeCard(set, { columns, style, expiresInS })}\n`);
  if (apply === "always") return applyChoice(io, lumina, set, { kind: "unflagged" }, quiet);
  if (keyboard === undefined) return kept(io, set, quiet, exitCodes.kept);
  try {
    const answer = await askAboutChanges(io, lumina, set, keyboard, options.signal);
    if (answer === "rejected") return kept(io, set, quiet, exitCodes.rejected);
    return await applyChoice(io, lumina, set, answer, quiet);
  } finally {
    keyboard.close();
  }
}

async function applyChoice(
  io: CliIo,
  lumina: LuminaGuard,
  set: ChangeSet,
  choice: ApplyChoice,
  quiet: boolean,
): Promise<Decision> {
  try {
    const { applied, remaining } = await lumina.changes.apply(set.id, choice);
    if (!quiet) say(io, `  applied   ${applied.length} of ${set.changes.length}`);
    if (remaining === undefined) return { exitCode: exitCodes.done, applied, changeSet: undefined };
    // a person who went file by file has answered for each
    const exitCode = choice.kind === "paths" ? exitCodes.done : exitCodes.kept;
    return { ...kept(io, remaining, quiet, exitCode), applied };
  } catch (error) {
    if (!isLuminaGuardError(error, "CHANGES_CONFLICT")) throw error;
    if (!quiet) say(io, `${io.style.red("  conflict ")} ${escapeText(error.message)}`);
    return kept(io, set, quiet, exitCodes.conflict);
  }
}

function kept(io: CliIo, set: ChangeSet, quiet: boolean, exitCode: number): Decision {
  if (!quiet) say(io, `  kept      7 days: luminaguard changes apply ${set.id}`);
  return { exitCode, applied: [], changeSet: set.id };
}
