/**
 * What did not go into the machine, and the one line that says so. Credentials are named first: they are
 * what a program in the machine will most likely miss.
 */
import { escapeText } from "../base/escape-text.ts";

/** Why something stayed out, in the order in which the line tells it. */
const leftOutReasons = ["credentials", "ignored", "git", "special", "unreadable"] as const;
export type LeftOutReason = (typeof leftOutReasons)[number];

export interface LeftOutGroup {
  readonly reason: LeftOutReason;
  /** the first names, as found; a folder stands for all below it */
  readonly paths: readonly string[];
  /** how many there are in all */
  readonly count: number;
}

/** most names kept for one reason */
const namesMax = 50;

export class LeftOut {
  readonly #groups = new Map<LeftOutReason, { paths: string[]; count: number }>();

  add(reason: LeftOutReason, path: string): void {
    const group = this.#groups.get(reason) ?? { paths: [], count: 0 };
    group.count += 1;
    if (group.paths.length < namesMax) group.paths.push(path);
    this.#groups.set(reason, group);
  }

  groups(): readonly LeftOutGroup[] {
    return leftOutReasons.flatMap((reason) => {
      const group = this.#groups.get(reason);
      return group === undefined ? [] : [{ reason, paths: group.paths, count: group.count }];
    });
  }
}

export interface WorkspaceLineFacts {
  readonly files: number;
  readonly bytes: number;
  readonly leftOut: readonly LeftOutGroup[];
}

/** `214 files, 3.1 MB · left out: .env (credentials), .venv (ignored); --include sends them` */
export function renderWorkspaceLine(
  facts: WorkspaceLineFacts,
  options: { width?: number } = {},
): string {
  const head = `${facts.files} ${facts.files === 1 ? "file" : "files"}, ${renderBytes(facts.bytes)}`;
  if (facts.leftOut.length === 0) return head;
  const tail = "; --include sends them";
  const room = (options.width ?? 140) - head.length - " · left out: ".length - tail.length;
  return `${head} · left out: ${renderGroups(facts.leftOut, room)}${tail}`;
}

/** Every reason is told with at least one name; more names come while there is room. */
function renderGroups(groups: readonly LeftOutGroup[], room: number): string {
  const shown = groups.map((group) => Math.min(1, group.paths.length));
  const render = (): string =>
    groups.map((group, at) => renderGroup(group, shown[at] ?? 1)).join(", ");
  groups.forEach((group, at) => {
    for (let count = 2; count <= group.paths.length; count++) {
      const before = shown[at] ?? 1;
      shown[at] = count;
      if (render().length > room) {
        shown[at] = before;
        return;
      }
    }
  });
  return render();
}

function renderGroup(group: LeftOutGroup, shown: number): string {
  const names = group.paths.slice(0, shown).map(shorten).join(", ");
  const more = group.count - shown;
  return `${names}${more > 0 ? ` +${more} more` : ""} (${group.reason})`;
}

function shorten(path: string): string {
  const text = escapeText(path);
  return text.length <= 40 ? text : `…${text.slice(-39)}`;
}

/** `3.1 MB`: powers of 1000, one decimal below 10. */
export function renderBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  let unit = "B";
  for (unit of ["kB", "MB", "GB", "TB"]) {
    value /= 1000;
    if (value < 999.5) break;
  }
  return `${value < 9.95 ? value.toFixed(1) : String(Math.round(value))} ${unit}`;
}
