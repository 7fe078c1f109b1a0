/** Draws the card of one pending approval on this terminal, and carries the person's answer to the cliff. */
import { escapeText } from "../base/escape-text.ts";
import { isLuminaGuardError } from "../errors.ts";
import type { OpenCliff } from "../runtime/cliff/cliff-desk.ts";
import { editCall, followEdits } from "../runtime/cliff/edit-call.ts";
import type { Edit } from "../runtime/cliff/edit-call.ts";
import { offerGrants } from "../runtime/cliff/grant-offers.ts";
import type { OfferedGrant } from "../runtime/cliff/grant-offers.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import { buildCard, describeRest, findAlike, runPager } from "../runtime/values.ts";
import type { ApplyResult, Approval, ChangeSet } from "../runtime/values.ts";
import { amendWriteBack } from "../runtime/cliff/write-back-amend.ts";
import { readWriteBack, writeBackTool } from "../runtime/cliff/write-back.ts";
import type { Answer } from "../tui/answer.ts";
import { askOnTerminal } from "../tui/ask-on-terminal.ts";
import type { Keyboard } from "../tui/keys.ts";
import { createScreen } from "../tui/screen.ts";
import { say } from "./io.ts";
import type { CliIo } from "./io.ts";

export interface Here {
  readonly io: CliIo;
  readonly lumina: LuminaGuard;
  readonly open: OpenCliff;
  readonly keyboard: Keyboard;
  readonly signal?: AbortSignal | undefined;
}

/** how a decision names this face */
const by = "terminal";

/**
 * What was written, where a person chose a part: that is an envelope of its own, executed here. A call
 * that was edited, here or elsewhere, is asked about again: as the card it has become.
 */
export async function answerHere(here: Here, card: Approval): Promise<ApplyResult | undefined> {
  const { ledger } = here.open;
  for (let shown = card; ;) {
    const written = await answerOne(here, shown);
    const { id } = shown.envelope;
    const last = followEdits(ledger, ledger.get(id) ?? shown);
    if (last.state !== "pending" || last.envelope.id === id) return written;
    shown = last;
  }
}

async function answerOne(here: Here, card: Approval): Promise<ApplyResult | undefined> {
  const { open, io } = here;
  const grants = offerGrants(open, card.envelope);
  const answer = await ask(here, card, grants);
  try {
    if (answer.kind === "choose") {
      const parts = { cliff: open.cliff, changes: here.lumina.changes, by };
      return await amendWriteBack(parts, card, answer.choice);
    }
    if (answer.kind === "edit") await edit(here, card, answer.edit);
    else if (answer.kind === "stop") await stopEverything(here);
    else {
      // the machine first: it does not go on while the answer is written down
      if (answer.kind === "reject" && answer.freeze) await freezeAsker(here, card);
      await decideAll(open, card, wordOf(answer, grants));
    }
  } catch (error) {
    if (!isLuminaGuardError(error, "APPROVAL_DECIDED")) throw error;
    // with no answer it is the rule: the deadline, or somebody else, was first
    if (answer.kind !== "no-answer") say(io, `  ${error.message}`);
  }
  return undefined;
}

async function ask(
  { io, lumina, open, keyboard, signal }: Here,
  card: Approval,
  grants: readonly OfferedGrant[],
): Promise<Answer> {
  const { envelope } = card;
  const { ledger } = open;
  const set = await findSet(lumina, card);
  const alike = findAlike(ledger, card).length;
  const edit = editCall(card, io.editor, lumina.config.runtimeDir);
  const model = buildCard(card, {
    editable: edit !== undefined,
    grants: grants.map(({ offer }) => offer),
    remarks: [
      ...(set === undefined ? [] : describeRest(set)),
      ...(alike > 0 ? [`${alike} more of the same wait; the answer is for all of them`] : []),
    ],
  });
  const settled = new AbortController();
  using _watch = ledger.onChange(() => {
    if (ledger.get(envelope.id)?.state !== "pending") settled.abort();
  });
  const { style, plain, pager } = io;
  return await askOnTerminal(model, {
    keyboard,
    screen: createScreen(io.stderr, { style, isDumb: plain, isColoured: !plain }),
    diffOf: (path) => {
      const change = set?.changes.find((each) => each.path === path);
      if (set === undefined || change === undefined) throw new TypeError(`no change of ${path}`);
      return lumina.changes.fileDiff(set, change);
    },
    edit,
    ...(pager === undefined ? {} : { pager: (text, signal) => runPager(pager, text, signal) }),
    expiresAt: performance.now() + Date.parse(envelope.expiresAt) - ledger.now(),
    signal: AbortSignal.any([settled.signal, ...(signal === undefined ? [] : [signal])]),
  });
}

/** The asker waits on: for the new card. */
async function edit({ io, open }: Here, { envelope }: Approval, changed: Edit): Promise<void> {
  const { state, outcome } = await open.cliff.edit(envelope.id, changed);
  if (state === "rejected") say(io, `  denied    ${escapeText(outcome)}`);
}

/** The kept set with the changes as the envelope has them: what is shown is what runs. */
async function findSet(
  lumina: LuminaGuard,
  { envelope }: Approval,
): Promise<ChangeSet | undefined> {
  if (envelope.tool !== writeBackTool) return undefined;
  const { changeSet, ...shown } = readWriteBack(envelope);
  return { ...(await lumina.changes.get(changeSet)), ...shown };
}

type Word = Pick<
  Parameters<OpenCliff["cliff"]["decide"]>[1],
  "word" | "reason" | "freeze" | "grant"
>;

function wordOf(
  answer: Exclude<Answer, { kind: "choose" | "edit" | "stop" }>,
  grants: readonly OfferedGrant[],
): Word {
  switch (answer.kind) {
    case "approve":
      return { word: "approve" };
    case "reject":
      return { word: "reject", reason: answer.reason, freeze: answer.freeze };
    case "no-answer":
      return { word: "reject", reason: "nobody answered" };
    case "grant": {
      const offered = grants.find(({ offer }) => offer.scopeKind === answer.scopeKind);
      if (offered === undefined) return { word: "approve" };
      return { word: "approve", grant: { ...offered.grant, usesMax: answer.usesMax } };
    }
  }
}

/** The card, and others that ask for the very same; a grant is given once. */
async function decideAll({ cliff, ledger }: OpenCliff, card: Approval, word: Word): Promise<void> {
  const alike = findAlike(ledger, card);
  const { grant: _once, ...plain } = word;
  await cliff.decide(card.envelope.id, { ...named(card), ...word });
  for (const other of alike) await cliff.decide(other.envelope.id, { ...named(other), ...plain });
}

function named({ digest, envelope }: Approval): {
  readonly digest: string;
  readonly nonce: string;
  readonly by: string;
} {
  return { digest, nonce: envelope.nonce, by };
}

/** A machine that is gone by itself needs no freezing. */
async function freezeAsker({ lumina }: Here, { envelope }: Approval): Promise<void> {
  if (envelope.machine === null) return;
  await lumina.machines.freeze([envelope.machine]).catch((error: unknown) => {
    if (!isLuminaGuardError(error, "MACHINE_NOT_FOUND")) throw error;
  });
}

async function stopEverything({ lumina, open }: Here): Promise<void> {
  await lumina.machines.freezeAll();
  await open.cliff.cancel("STOP");
}
