/** The card of a change set that is kept: what `run` asks about, and what `changes show` prints. */
import { buildCard } from "../../approvals/card/build-card.ts";
import type { Card } from "../../approvals/card/card.ts";
import { digestOf } from "../../approvals/canonical.ts";
import type { ActionEnvelope } from "../../approvals/envelope.ts";
import { escapeText } from "../../base/escape-text.ts";
import type { ChangeSet } from "../../workspace/change-set.ts";
import { draftWriteBack } from "./write-back.ts";
import type { WriteBackOrigin } from "./write-back.ts";

const unknownOrigin: WriteBackOrigin = {
  ...{ run: "run", machine: null, exitCode: null, timedOut: false },
};

export interface ChangeCardOptions {
  /** only to be looked at @default false */
  readonly readOnly?: boolean;
  /** the run that made the set @default not known any more */
  readonly origin?: WriteBackOrigin;
}

export function buildChangeCard(
  set: ChangeSet,
  { readOnly = false, origin = unknownOrigin }: ChangeCardOptions = {},
): Card {
  const draft = draftWriteBack(set, origin);
  const envelope: ActionEnvelope = {
    v: 1,
    id: set.id,
    ...{ parents: [], task: null, machine: null, operands: [], toolFingerprint: null },
    ...{ says: "", replaces: null, policyVersion: "0", nonce: "0".repeat(32) },
    taint: { tainted: false, sources: [] },
    ...draft,
    createdAt: set.createdAt,
    expiresAt: set.expiresAt,
  };
  const card = buildCard(
    {
      envelope,
      digest: digestOf(envelope),
      shortId: set.id,
      verdict: { answer: "ask", rules: [], reason: "files of yours change only with your yes" },
    },
    {
      readOnly,
      remarks: describeRest(set),
      elsewhere: [`luminaguard approvals reopen ${set.id}`],
    },
  );
  return { ...card, choices: card.choices.filter((choice) => choice !== "stop") };
}

/** What cannot be applied, or did not come out. */
export function describeRest(set: ChangeSet): readonly string[] {
  const { refused, refusedCount, leftBehind } = set;
  const unnamed = refusedCount - refused.length;
  return [
    ...refused.map(({ path, reason }) => `✗  ${escapeText(path)}  refused: ${escapeText(reason)}`),
    ...(unnamed > 0 ? [`✗  and ${unnamed} more refused`] : []),
    ...(leftBehind.count > 0
      ? [`ignored files stayed in the machine: ${nameSome(leftBehind.paths, leftBehind.count)}`]
      : []),
  ];
}

function nameSome(paths: readonly string[], count: number): string {
  const named = paths.slice(0, 3).map((path) => escapeText(path));
  const rest = count - named.length;
  return rest > 0 ? `${named.join(", ")} and ${rest} more` : named.join(", ");
}
