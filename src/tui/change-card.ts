/**
 * A change set as a card: what a person sees before anything is written. Pure text. Paths come from
 * the machine, so they are shown escaped; nothing is cut without saying how much.
 */
import { escapeText } from "../base/escape-text.ts";
import type { Change, ChangeSet } from "../runtime/values.ts";
import type { Style } from "./style.ts";

export interface CardOptions {
  readonly columns: number;
  readonly style: Style;
  /** seconds until the card answers itself with no; absent: it does not expire on screen */
  readonly expiresInS?: number | undefined;
  /** most rows shown; the rest is counted */
  readonly rowsMax?: number;
}

const letters = { added: "A", modified: "M", deleted: "D", mode: "P", replaced: "R" } as const;

export function renderChangeCard(set: ChangeSet, options: CardOptions): string {
  const { columns, style, rowsMax = 200 } = options;
  const shown = set.changes.slice(0, rowsMax);
  const longest = shown.reduce((most, { path }) => Math.max(most, escapeText(path).length), 16);
  const pathColumns = Math.min(columns - 30, longest);
  const rows = shown.map((change) => renderRow(change, pathColumns, style));
  const rest = set.changes.length - shown.length;
  return [
    renderHead(set, options),
    ...rows,
    ...(rest > 0 ? [`  … and ${rest} more: luminaguard changes show ${set.id}`] : []),
    ...renderRemarks(set, style),
  ].join("\n");
}

function renderHead(set: ChangeSet, { columns, style, expiresInS }: CardOptions): string {
  const flagged = set.changes.filter(({ flags }) => flags.length > 0).length;
  const conflicts = set.changes.filter(({ conflict }) => conflict !== null).length;
  const count = `${set.changes.length} ${set.changes.length === 1 ? "file" : "files"} changed`;
  const facts = [
    count,
    ...(flagged > 0 ? [style.yellow(`${flagged} flagged`)] : []),
    ...(conflicts > 0 ? [style.red(`${conflicts} in conflict`)] : []),
  ].join(", ");
  const bareLength = [
    count,
    ...(flagged ? [`${flagged} flagged`] : []),
    ...(conflicts ? [`${conflicts} in conflict`] : []),
  ].join(", ").length;
  const expiry = expiresInS === undefined ? "" : ` · expires in ${formatClock(expiresInS)}`;
  const card = `card ${set.id}${expiry}`;
  const gap = " ".repeat(Math.max(2, columns - 2 - bareLength - card.length));
  return `  ${style.bold(facts)}${gap}${style.dim(card)}`;
}

function renderRow(change: Change, pathColumns: number, style: Style): string {
  const letter = letters[change.kind];
  const paint =
    change.kind === "added" ? style.green : change.kind === "deleted" ? style.red : style.cyan;
  const head = `  ${paint(letter)}  ${escapeText(change.path).padEnd(pathColumns)}  ${describe(change)}`;
  const marks = [
    ...change.flags.map((flag) => style.yellow(`⚑ ${flag}`)),
    ...(change.conflict === null ? [] : [style.red(`✗ ${escapeText(change.conflict)}`)]),
  ];
  return marks.length === 0 ? head.trimEnd() : `${head}  ${marks.join("  ")}`;
}

/** What changed in a few words: counted lines, or what else a person has to know. */
function describe({ kind, before, after, binary, lines }: Change): string {
  if (after?.kind === "link") return `link → ${escapeText(after.target)}`;
  if (after?.kind === "folder") return "folder";
  if (kind === "mode")
    return after?.executable === true ? "now executable" : "no longer executable";
  if (binary) return `binary, ${formatSize(after ?? before)}`;
  return (lines === null ? "" : countLines(lines)).padEnd(8);
}

function countLines({ added, removed }: NonNullable<Change["lines"]>): string {
  const counts = [added > 0 ? `+${added}` : "", removed > 0 ? `−${removed}` : ""];
  return counts.filter((count) => count !== "").join(" ");
}

function formatSize(state: Change["after"]): string {
  if (state?.kind !== "file") return "";
  const { size } = state;
  if (size < 1000) return `${size} B`;
  if (size < 1_000_000) return `${(size / 1000).toFixed(1)} kB`;
  return `${(size / 1_000_000).toFixed(1)} MB`;
}

/** What cannot be applied, or did not come out, said in words below the rows. */
function renderRemarks(set: ChangeSet, style: Style): string[] {
  const refused = set.refused.map(({ path, reason }) => {
    return `  ${style.red("✗")}  ${escapeText(path)}  refused: ${escapeText(reason)}`;
  });
  const unnamed = set.refusedCount - set.refused.length;
  const { paths, count } = set.leftBehind;
  return [
    ...refused,
    ...(unnamed > 0 ? [`  ✗  and ${unnamed} more refused`] : []),
    ...(count > 0
      ? [style.dim(`  ignored files stayed in the machine: ${renderNames(paths, count)}`)]
      : []),
  ];
}

function renderNames(paths: readonly string[], count: number): string {
  const named = paths.slice(0, 3).map((path) => escapeText(path));
  const rest = count - named.length;
  return rest > 0 ? `${named.join(", ")} and ${rest} more` : named.join(", ");
}

function formatClock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
