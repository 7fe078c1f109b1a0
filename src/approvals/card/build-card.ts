/** From an approval to the card a person sees: pure, and the only renderer. */
import { escapeText } from "../../base/escape-text.ts";
import type { Approval } from "../approval.ts";
import type { ActionEnvelope } from "../envelope.ts";
import type { JsonValue } from "../json.ts";
import { assessAll } from "../risk.ts";
import type { Card, CardChoice, FileSection, GrantOffer, GrantScopeKind } from "./card.ts";
import { createFacts } from "./create-facts.ts";
import { describeFile, findRenames } from "./describe-file.ts";
import { describeEffect } from "./effects/describe-effect.ts";
import { parseShownChanges, parseShownFolders } from "./file-change.ts";
import { flagLookAlikes } from "./look-alikes.ts";
import { showName } from "./shown-value.ts";

/** The parts of an approval that a card shows. */
export type CardSubject = Pick<Approval, "envelope" | "verdict" | "digest" | "shortId">;

export interface CardOptions {
  /** rules that may be offered, as `PolicyEngine.writeGrant` wrote them @default none */
  readonly grants?: readonly GrantText[];
  /** other ways to answer
   * @default the `approvals` command */
  readonly elsewhere?: readonly string[];
  /** lines of the host's below the rest, such as files that were refused @default none */
  readonly remarks?: readonly string[];
  /** its arguments can be edited here @default false */
  readonly editable?: boolean;
  /** only to be looked at @default false */
  readonly readOnly?: boolean;
}

export interface GrantText {
  readonly scopeKind: GrantScopeKind;
  readonly usesMax: number;
  readonly text: string;
}

/** Never throws for what an envelope holds. */
export function buildCard(subject: CardSubject, options: CardOptions = {}): Card {
  const { envelope, verdict, digest, shortId } = subject;
  const files = describeFiles(envelope);
  const folders = files === undefined ? undefined : describeFolders(envelope);
  const words = envelope.effects.map(describeEffect);
  const facts = createFacts(files === undefined ? envelope : withoutContents(envelope), {
    hostFacts: words.flatMap(({ facts }) => facts),
    // they are shown as files and folders
    leftOut: leaveOut(files, folders),
  });
  return {
    title: files === undefined ? showName(envelope.tool) : renderCount(files),
    shortId: showName(shortId),
    digest: showName(digest),
    expiresAt: showName(envelope.expiresAt),
    asker: describeAsker(envelope),
    facts: facts.facts,
    sections: [...(files ?? []), ...facts.sections],
    flags: collectFlags(
      envelope,
      words.flatMap(({ flags }) => flags),
    ),
    why: {
      answer: verdict.answer,
      rules: verdict.rules.map(showName),
      reason: escapeText(verdict.reason),
    },
    onYes: words.map(({ onYes }) => onYes),
    remarks: [...(folders ?? []), ...(options.remarks ?? []).map((line) => escapeText(line))],
    elsewhere: (options.elsewhere ?? [`luminaguard approvals approve ${shortId}`]).map((line) =>
      escapeText(line),
    ),
    says: showWords(envelope.says),
    choices: options.readOnly === true ? [] : offerChoices(envelope, files, options),
    grants: (options.grants ?? []).map(showGrant),
    mustOpen: facts.sections.map(({ id }) => id),
    ...assessAll(envelope.effects, envelope.taint.tainted),
  };
}

function describeFiles({ effects, args }: ActionEnvelope): readonly FileSection[] | undefined {
  if (!effects.some(({ kind }) => kind === "file-write-back")) return undefined;
  const changes = parseShownChanges(args["changes"]);
  if (changes === undefined) return undefined;
  const renames = findRenames(changes);
  return changes.map((change, at) => describeFile(change, at, renames));
}

/** Undefined where the list is of another form. */
function describeFolders({ args }: ActionEnvelope): readonly string[] | undefined {
  const folders = parseShownFolders(args["removedFolders"]);
  return folders?.map((path) => `D  ${showName(`${path}/`)}  folder removed, once it is empty`);
}

function leaveOut(files: object | undefined, folders: object | undefined): readonly string[] {
  return [...(files ? ["changes"] : []), ...(folders ? ["removedFolders"] : [])];
}

/** Blobs that are the contents of changed files are shown as these files. */
function withoutContents(envelope: ActionEnvelope): Pick<ActionEnvelope, "args" | "operands"> {
  const { args, operands } = envelope;
  const contents = new Set(
    (parseShownChanges(args["changes"]) ?? []).map(({ path, after }) =>
      after?.kind === "file" ? JSON.stringify([path, after.sha256, after.size]) : "",
    ),
  );
  const isContent = ({ name, sha256, size }: ActionEnvelope["operands"][number]): boolean =>
    contents.has(JSON.stringify([name, sha256, size]));
  return { args, operands: operands.filter((operand) => !isContent(operand)) };
}

/** `3 files changed, 1 flagged` */
function renderCount(files: readonly FileSection[]): string {
  const flagged = files.filter(({ flags }) => flags.length > 0).length;
  const conflicts = files.filter(({ conflict }) => conflict !== null).length;
  return [
    `${files.length} ${files.length === 1 ? "file" : "files"} changed`,
    ...(flagged > 0 ? [`${flagged} flagged`] : []),
    ...(conflicts > 0 ? [`${conflicts} in conflict`] : []),
  ].join(", ");
}

function describeAsker({ who, run, task, machine, parents }: ActionEnvelope): Card["asker"] {
  return {
    who: showName(who),
    run: showName(run),
    task: task === null ? null : showName(task),
    machine: machine === null ? null : showName(machine),
    parents: parents.map(showName),
  };
}

function collectFlags(envelope: ActionEnvelope, ofEffects: readonly string[]): readonly string[] {
  const { args, effects, taint, tool, who, replaces } = envelope;
  const { exitCode } = args as Readonly<Record<string, JsonValue | undefined>>;
  const failed = typeof exitCode === "number" && exitCode !== 0;
  return [
    ...ofEffects,
    ...(failed ? [`the command ended with exit code ${exitCode}`] : []),
    ...(replaces === null ? [] : [`edited: replaces ${showName(replaces)}`]),
    ...(taint.tainted ? [describeTaint(taint.sources)] : []),
    ...flagLookAlikes(textsOf([tool, who, args, effects as unknown as JsonValue])),
  ];
}

function describeTaint(sources: readonly string[]): string {
  if (sources.length === 0) return "text from outside may have steered the asker";
  const named = sources.slice(0, 3).map(showName).join(", ");
  const more = sources.length > 3 ? ` and ${sources.length - 3} more` : "";
  return `text from outside may have steered the asker: ${named}${more}`;
}

/** Every text in the values, names of members too. */
function* textsOf(values: readonly JsonValue[]): Generator<string> {
  const left: JsonValue[] = [...values];
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (typeof value === "string") yield value;
    if (value === null || typeof value !== "object") continue;
    if (!Array.isArray(value)) yield* Object.keys(value);
    for (const each of Object.values(value) as JsonValue[]) left.push(each);
  }
}

/** The agent's words are prose: shown line by line, with what hides written out. */
function showWords(says: string): readonly string[] {
  return says === "" ? [] : says.split("\n").map((line) => escapeText(line));
}

function showGrant({ scopeKind, usesMax, text }: GrantText): GrantOffer {
  return { scopeKind, usesMax, text: text.split("\n").map((line) => escapeText(line)) };
}

function offerChoices(
  { taint, machine }: ActionEnvelope,
  files: readonly FileSection[] | undefined,
  { grants = [], editable = false }: CardOptions,
): readonly CardChoice[] {
  return [
    "view",
    "approve",
    ...(files === undefined ? [] : (["files"] as const)),
    ...(editable && files === undefined ? (["edit"] as const) : []),
    "reject",
    ...(machine === null ? [] : (["freeze"] as const)),
    // a remembered yes is never given while somebody else may be speaking
    ...(grants.length > 0 && !taint.tainted ? (["grant"] as const) : []),
    "stop",
  ];
}
