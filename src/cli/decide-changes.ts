/**
 * What becomes of a change set: it goes over the cliff. Policy answers, or a person on a card; nobody to
 * ask means no. What was not written is kept, and the command that brings it back is printed.
 */
import { escapeText } from "../base/escape-text.ts";
import { isLuminaGuardError } from "../errors.ts";
import type { OpenCliff } from "../runtime/cliff/cliff-desk.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import { buildChangeCard } from "../runtime/values.ts";
import type { ApplyResult, ChangeSet, CliffVerdict } from "../runtime/values.ts";
import { draftWriteBack, executeWriteBack, writeBackTool } from "../runtime/cliff/write-back.ts";
import type { WriteBackOrigin } from "../runtime/cliff/write-back.ts";
import { renderCard } from "../tui/card-lines.ts";
import type { Keyboard } from "../tui/keys.ts";
import { askOverCliff } from "./ask-over-cliff.ts";
import type { ApplyWord } from "./apply-word.ts";
import { exitCodes } from "./exit-codes.ts";
import { say } from "./io.ts";
import type { CliIo } from "./io.ts";

export interface Decision {
  readonly exitCode: number;
  /** paths that are now in the folder */
  readonly applied: readonly string[];
  /** id under which the rest is kept */
  readonly changeSet: string | undefined;
}

export interface DecideOptions {
  readonly apply: ApplyWord;
  readonly origin: WriteBackOrigin;
  /** stderr stays silent and nobody is asked here */
  readonly quiet: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Raises POLICY_INVALID or STORE_FAILED; the change set stays kept. */
export async function decideChanges(
  io: CliIo,
  lumina: LuminaGuard,
  set: ChangeSet,
  options: DecideOptions,
): Promise<Decision> {
  const { apply, quiet } = options;
  const keyboard = apply === "ask" && !quiet ? io.openKeyboard() : undefined;
  try {
    if (keyboard === undefined && !quiet) say(io, `\n${renderKept(io, set, options)}\n`);
    const asked = apply === "always" ? withoutFlagged(set) : set;
    if (asked.changes.length === 0) return kept(io, set, quiet, exitCodes.kept);
    return await overTheCliff(io, lumina, { ...options, set, asked, keyboard });
  } catch (error) {
    if (!isLuminaGuardError(error, "CHANGES_CONFLICT")) throw error;
    if (!quiet) say(io, `${io.style.red("  conflict ")} ${escapeText(error.message)}`);
    return kept(io, set, quiet, exitCodes.conflict);
  } finally {
    keyboard?.close();
  }
}

interface Question extends DecideOptions {
  readonly set: ChangeSet;
  /** the part of the set that is asked about */
  readonly asked: ChangeSet;
  readonly keyboard: Keyboard | undefined;
}

async function overTheCliff(io: CliIo, lumina: LuminaGuard, question: Question): Promise<Decision> {
  const { set, asked, apply, quiet, origin, keyboard, signal } = question;
  const open = await lumina.approvals.open(set.root);
  const here = { io, lumina, open, keyboard, signal };
  const { verdict, edited } = await askOverCliff(here, draftWriteBack(asked, origin), {
    shortId: asked.id,
    rules: apply === "always" ? [alwaysRule(open, asked, origin)] : [],
    limit: apply === "never" ? neverLimit : undefined,
  });
  if (edited !== undefined)
    return tellWritten(io, set, edited, { quiet, exitCode: exitCodes.done });
  if (verdict.outcome !== "allowed") return tellRefused(io, set, verdict, question);
  const { envelope } = verdict.approval;
  const written = await executeWriteBack(open.cliff, lumina.changes, envelope.id);
  const isPart = apply === "always" && asked.changes.length < set.changes.length;
  const exitCode = isPart ? exitCodes.kept : exitCodes.done;
  return tellWritten(io, set, written, { quiet, exitCode });
}

const neverLimit = { answer: "deny", rules: ["--apply never"], reason: "--apply never" } as const;

/** The person's own word on the command line, as a grant for this one change set. */
function alwaysRule(
  { policy }: OpenCliff,
  { id, root }: ChangeSet,
  { run }: WriteBackOrigin,
): { readonly id: string; readonly text: string } {
  const scope = {
    who: "run",
    effect: "file-write-back",
    tool: writeBackTool,
    resource: root,
    run,
    task: null,
  } as const;
  const args = { "/changeSet": id, "/root": root };
  return { id: "--apply always", text: policy.writeGrant({ ...scope, args }) };
}

function withoutFlagged(set: ChangeSet): ChangeSet {
  return { ...set, changes: set.changes.filter(({ flags }) => flags.length === 0) };
}

function tellWritten(
  io: CliIo,
  set: ChangeSet,
  { applied, remaining }: ApplyResult,
  { quiet, exitCode }: { readonly quiet: boolean; readonly exitCode: number },
): Decision {
  if (!quiet) say(io, `  applied   ${applied.length} of ${set.changes.length}`);
  if (remaining === undefined) return { exitCode, applied, changeSet: undefined };
  return { ...kept(io, remaining, quiet, exitCode), applied };
}

function tellRefused(
  io: CliIo,
  set: ChangeSet,
  verdict: Exclude<CliffVerdict, { outcome: "allowed" }>,
  { apply, quiet }: DecideOptions,
): Decision {
  const isKept = verdict.outcome === "unanswerable" || apply === "never";
  const isPolicy = verdict.outcome === "denied" && apply !== "never";
  if (isPolicy && !quiet) say(io, `  denied    ${escapeText(verdict.reason)}`);
  return kept(io, set, quiet, isKept ? exitCodes.kept : exitCodes.rejected);
}

function renderKept({ columns, style }: CliIo, set: ChangeSet, { origin }: DecideOptions): string {
  return renderCard(buildChangeCard(set, { readOnly: true, origin }), { columns, style });
}

function kept(io: CliIo, set: ChangeSet, quiet: boolean, exitCode: number): Decision {
  if (!quiet) say(io, `  kept      7 days: luminaguard approvals reopen ${set.id}`);
  return { exitCode, applied: [], changeSet: set.id };
}
