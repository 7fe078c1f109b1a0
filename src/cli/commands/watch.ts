/** `luminaguard approvals watch`: each card of any run of this user, as it comes. */
import { escapeText } from "../../base/escape-text.ts";
import { isLuminaGuardError } from "../../errors.ts";
import type { ErrorCode, LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import type { Approval } from "../../runtime/values.ts";
import { rootOf } from "../../runtime/cliff/write-back.ts";
import { answerHere } from "../answer-here.ts";
import { toApprovalJson } from "../approval-json.ts";
import { exitCodes } from "../exit-codes.ts";
import { say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { needKeyboard } from "../keyboard.ts";
import { watchSignals } from "../signals.ts";

/** Draws the cards, or with `json` only tells of them, until a signal. */
export async function approvalsWatch(
  io: CliIo,
  { json = false }: { readonly json?: boolean },
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const open = await lumina.approvals.open();
  using signals = watchSignals(io);
  const { signal } = signals;
  // between cards the terminal is left as it is, so that Ctrl-C ends this
  if (!json) needKeyboard(io).close();
  const face = json ? undefined : open.cliff.attach("watch");
  if (!json) say(io, io.style.dim("  waiting for cards; Ctrl-C ends this"));
  try {
    for await (const { kind, approval } of open.cliff.events(signal)) {
      if (json)
        io.stdout.write(`${JSON.stringify({ kind, approval: toApprovalJson(approval) })}\n`);
      // by now it may have been answered elsewhere, or with one that was like it
      else if (open.ledger.get(approval.envelope.id)?.state === "pending") {
        await answerOne(io, lumina, approval, signal);
      }
    }
  } finally {
    face?.[Symbol.dispose]();
  }
  return signals.exitCode ?? exitCodes.done;
}

/** A card that cannot be judged or drawn gets no answer here; the others still do. */
async function answerOne(
  io: CliIo,
  lumina: LuminaGuard,
  approval: Approval,
  signal: AbortSignal,
): Promise<void> {
  try {
    const open = await lumina.approvals.open(rootOf(approval.envelope));
    using keyboard = needKeyboard(io);
    await answerHere({ io, lumina, open, keyboard, signal }, approval);
  } catch (error) {
    if (!isOfOneCard(error)) throw error;
    const why = escapeText(error.message);
    say(io, `  card ${approval.shortId} cannot be answered here: ${why}`);
  }
}

/** What is wrong with one folder's policy, one change set or one envelope. */
const codesOfOneCard: readonly ErrorCode[] = [
  "POLICY_INVALID",
  "CHANGES_NOT_FOUND",
  "ENVELOPE_INVALID",
];

function isOfOneCard(error: unknown): error is LuminaGuardError {
  return codesOfOneCard.some((code) => isLuminaGuardError(error, code));
}
