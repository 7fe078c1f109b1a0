/** `luminaguard approvals`: what waits for a person's word, and what became of what was asked. */
import { createReadStream } from "node:fs";
import { escapeText } from "../../base/escape-text.ts";
import { toHostError } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import { followEdits } from "../../runtime/cliff/edit-call.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { OpenCliff } from "../../runtime/cliff/cliff-desk.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import { buildCard, diffCardBytesMax, readDiffCard } from "../../runtime/values.ts";
import type { Approval, Card } from "../../runtime/values.ts";
import {
  createRunId,
  readWriteBack,
  rootOf,
  writeBackTool,
} from "../../runtime/cliff/write-back.ts";
import { renderCard } from "../../tui/card-lines.ts";
import { createStyle } from "../../tui/style.ts";
import { answerHere } from "../answer-here.ts";
import { toApprovalJson } from "../approval-json.ts";
import { decideChanges } from "../decide-changes.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { needKeyboard } from "../keyboard.ts";
import { watchSignals } from "../signals.ts";

interface JsonOption {
  readonly json?: boolean;
}

/** most rows on a page of `ls` */
const rowsMax = 50;

export async function approvalsLs(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const { ledger, unknown } = await lumina.approvals.open();
  const pending = ledger.list({ states: ["pending"], limit: rowsMax });
  const rest = ledger.list({ limit: rowsMax }).filter(({ state }) => state !== "pending");
  const shown = [...pending, ...rest];
  if (json === true) {
    printJson(io, shown.map(toApprovalJson));
    return exitCodes.done;
  }
  if (shown.length === 0) say(io, "nothing was asked");
  for (const approval of shown) io.stdout.write(`${renderRow(io, approval)}\n`);
  const hidden = ledger.count({ states: ["pending"] }) - pending.length;
  if (hidden > 0) say(io, `… and ${hidden} more wait`);
  for (const { shortId } of unknown) {
    say(io, `${shortId} was being carried out when its process ended: look whether it happened`);
  }
  return exitCodes.done;
}

export async function approvalsShow(
  io: CliIo,
  id: string | undefined,
  { json, diffCard }: JsonOption & { readonly diffCard?: string },
): Promise<number> {
  if (diffCard !== undefined) return showDiffCard(io, diffCard);
  if (id === undefined) {
    throw new LuminaGuardError("USAGE", "which card?", {
      hint: "luminaguard approvals ls  shows those there are",
    });
  }
  await using lumina = await createLuminaGuard();
  const approval = find(await lumina.approvals.open(), id);
  if (json === true) printJson(io, toApprovalJson(approval));
  else printCard(io, buildCard(approval, { readOnly: approval.state !== "pending" }), approval);
  return exitCodes.done;
}

/** A card of the earlier LuminaGuard: it can be looked at, and nothing else. */
async function showDiffCard(io: CliIo, path: string): Promise<number> {
  try {
    // a byte more than it may have shows that it is too large
    const file = createReadStream(path, { end: diffCardBytesMax });
    const chunks = (await file.toArray()) as Buffer[];
    printCard(io, readDiffCard(Buffer.concat(chunks)));
    return exitCodes.done;
  } catch (error) {
    throw toHostError(error, `cannot read ${escapeText(path)}`);
  }
}

function printCard(io: CliIo, card: Card, approval?: Approval): void {
  const style = io.stdout.isTTY ? io.style : createStyle(false);
  io.stdout.write(`${renderCard(card, { columns: io.columns, style })}\n`);
  if (approval === undefined) return;
  const { state, decision, outcome } = approval;
  const by = decision === null ? "" : ` by ${decision.by} at ${decision.at}`;
  const why = outcome === "" ? "" : `: ${escapeText(outcome)}`;
  io.stdout.write(`\n  state     ${state}${by}${why}\n`);
}

export async function approvalsApprove(
  io: CliIo,
  id: string,
  { yes }: { readonly yes?: boolean },
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const approval = find(await lumina.approvals.open(), id);
  if (approval.state !== "pending") throw notPending(approval);
  // a part that is chosen here is judged here: by the folder's policy too
  const open = await lumina.approvals.open(rootOf(approval.envelope));
  if (yes === true) await approveByScript(lumina, open, approval);
  else {
    using keyboard = needKeyboard(io);
    await answerHere({ io, lumina, open, keyboard }, approval);
  }
  const { state } = followEdits(open.ledger, find(open, approval.envelope.id));
  return ["approved", "executing", "done"].includes(state) ? exitCodes.done : exitCodes.rejected;
}

async function approveByScript(
  lumina: LuminaGuard,
  { cliff }: OpenCliff,
  { envelope, digest }: Approval,
): Promise<void> {
  if (lumina.config.scriptedApproval !== "yes") {
    throw new LuminaGuardError("APPROVAL_DENIED", "scripts may not approve here", {
      hint: 'answer at a terminal, or set "scriptedApproval": "yes" in your own configuration file',
    });
  }
  const { id, nonce } = envelope;
  await cliff.decide(id, { word: "approve", digest, nonce, by: "script" });
}

export async function approvalsReject(
  io: CliIo,
  id: string,
  { reason = "" }: { readonly reason?: string },
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const open = await lumina.approvals.open();
  const { envelope, digest, shortId } = find(open, id);
  const { nonce } = envelope;
  const answer = { digest, nonce, reason, word: "reject", by: "command line" } as const;
  await open.cliff.decide(envelope.id, answer);
  say(io, `rejected ${shortId}`);
  return exitCodes.done;
}

/** Asks again about files that were kept: a new envelope and a new card. */
export async function approvalsReopen(io: CliIo, id: string): Promise<number> {
  await using lumina = await createLuminaGuard();
  const { ledger } = await lumina.approvals.open();
  const approval = ledger.find(id);
  // a change set may be older than the ledger
  const set = await lumina.changes.get(approval === undefined ? id : changeSetOf(approval));
  const origin = { run: createRunId(), machine: null, exitCode: null, timedOut: false };
  using signals = watchSignals(io);
  const { signal } = signals;
  const decision = await decideChanges(io, lumina, set, {
    apply: "ask",
    origin,
    quiet: false,
    signal,
  });
  return signals.exitCode ?? decision.exitCode;
}

function changeSetOf(approval: Approval): string {
  if (approval.state === "pending") throw notReopened(approval, "waits for an answer now");
  if (approval.envelope.tool === writeBackTool) return readWriteBack(approval.envelope).changeSet;
  throw notReopened(approval, "was asked by a process that is gone");
}

function notReopened({ shortId }: Approval, why: string): LuminaGuardError {
  return new LuminaGuardError("APPROVAL_DECIDED", `approval ${shortId} ${why}`, {
    hint: `luminaguard approvals show ${shortId}  tells more`,
  });
}

/** Raises APPROVAL_NOT_FOUND. */
function find({ ledger }: OpenCliff, id: string): Approval {
  const approval = ledger.find(id);
  if (approval !== undefined) return approval;
  throw new LuminaGuardError("APPROVAL_NOT_FOUND", `no approval has the id ${escapeText(id)}`, {
    hint: "luminaguard approvals ls  shows those there are",
  });
}

function notPending({ shortId, state, envelope }: Approval): LuminaGuardError {
  const reopens = envelope.tool === writeBackTool && !["executing", "done"].includes(state);
  return new LuminaGuardError("APPROVAL_DECIDED", `approval ${shortId} is ${state}`, {
    hint: reopens
      ? `luminaguard approvals reopen ${shortId}  asks again`
      : `luminaguard approvals show ${shortId}  tells more`,
  });
}

function renderRow(io: CliIo, approval: Approval): string {
  const { shortId, state, envelope } = approval;
  const when = envelope.createdAt.slice(0, 16).replace("T", " ");
  const line = `${shortId}  ${state.padEnd(9)}  ${when}  ${escapeText(summarise(approval))}`;
  const isCut = io.stdout.isTTY && line.length > io.columns;
  return isCut ? `${line.slice(0, io.columns - 1)}…` : line;
}

function summarise({ envelope }: Approval): string {
  const { tool, who, args } = envelope;
  if (tool !== writeBackTool) return `${tool}  asked by ${who}`;
  const { length } = readWriteBack(envelope).changes;
  const root = typeof args["root"] === "string" ? args["root"] : "";
  return `${length} ${length === 1 ? "file" : "files"} in ${root}`;
}
