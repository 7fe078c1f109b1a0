/**
 * What becomes of a change set: applied by a rule, asked about on a card, or kept. Nobody to ask means
 * no; what was not applied is kept, and the command that brings it back is printed.
 */
import { escapeText } from "../base/escape-text.ts";
import { isLuminaGuardError } from "../errors.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { ApplyChoice, ChangeSet } from "../runtime/values.ts";
import { buildChangeCard, runPager } from "../runtime/values.ts";
import type { Answer } from "../tui/answer.ts";
import { askOnTerminal } from "../tui/ask-on-terminal.ts";
import { renderCard } from "../tui/card-lines.ts";
import { openKeyboard } from "../tui/keys.ts";
import type { Keyboard } from "../tui/keys.ts";
import { createScreen } from "../tui/screen.ts";
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
  const { columns, style } = io;
  if (keyboard === undefined && !quiet) {
    say(io, `\n${renderCard(buildChangeCard(set), { columns, style })}\n`);
  }
  if (apply === "always") return applyChoice(io, lumina, set, { kind: "unflagged" }, quiet);
  if (keyboard === undefined) return kept(io, set, quiet, exitCodes.kept);
  let answer: Answer;
  try {
    answer = await ask(io, lumina, set, keyboard, options.signal);
  } finally {
    keyboard.close();
  }
  return obey(io, lumina, set, answer);
}

function ask(
  io: CliIo,
  lumina: LuminaGuard,
  set: ChangeSet,
  keyboard: Keyboard,
  signal?: AbortSignal,
): Promise<Answer> {
  const { style, plain, pager } = io;
  const changes = new Map(set.changes.map((change) => [change.path, change]));
  return askOnTerminal(buildChangeCard(set), {
    keyboard,
    screen: createScreen(io.stderr, { style, isDumb: plain, isColoured: !plain }),
    diffOf: (path) => {
      const change = changes.get(path);
      if (change === undefined) throw new Error(`no change of ${path}`);
      return lumina.changes.fileDiff(set, change);
    },
    ...(pager === undefined ? {} : { pager: (text) => runPager(pager, text) }),
    expiresAt: performance.now() + lumina.config.approvalTimeoutS * 1000,
    signal,
  });
}

async function obey(
  io: CliIo,
  lumina: LuminaGuard,
  set: ChangeSet,
  answer: Answer,
): Promise<Decision> {
  if (answer.kind === "approve") return applyChoice(io, lumina, set, { kind: "all" }, false);
  if (answer.kind !== "choose") return kept(io, set, false, exitCodes.rejected);
  const { paths, hunks } = answer.choice;
  if (Object.keys(hunks).length === 0) {
    return applyChoice(io, lumina, set, { kind: "paths", paths }, false);
  }
  const narrowed = await lumina.changes.narrow(set, answer.choice);
  const decision = await applyChoice(io, lumina, narrowed, { kind: "all" }, false);
  // the whole of it stays: what was left out of a file is in no other place
  if (decision.exitCode !== exitCodes.done) return decision;
  return { ...kept(io, set, false, exitCodes.done), applied: decision.applied };
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
