/**
 * What a person is shown of one approval, as plain data for any face: a terminal, a web page. Every text
 * in it is safe to show as it stands: controls and characters that hide are written out. Nothing in it is
 * cut unless a `Cut` says how much, and what was cut stands whole in a section.
 */
import type { PolicyAnswer } from "../policy.ts";
import type { Assessment } from "../risk.ts";

/** How much of a text is not shown where it stands. */
export interface Cut {
  readonly lines: number;
  /** of the text as it is shown, in `bytes` */
  readonly bytes: number;
}

/** One named value, such as an argument. Its lines are JSON, or a plain name: see shown-value.ts. */
export interface Fact {
  readonly name: string;
  /** all of it, or its beginning */
  readonly lines: readonly string[];
  /** null: `lines` is all */
  readonly cut: Cut | null;
  /** id of the section that has it whole; null where nothing was cut */
  readonly section: string | null;
}

/** A long value in full. */
export interface TextSection {
  readonly kind: "text";
  readonly id: string;
  readonly title: string;
  readonly lines: readonly string[];
}

/** One file of a write-back. Its diff is fetched when a person wants to see it. */
export interface FileSection {
  readonly kind: "file";
  readonly id: string;
  /** A added, M modified, D deleted, P mode only, T another kind of thing, R renamed */
  readonly letter: "A" | "M" | "D" | "P" | "T" | "R";
  /** as a person reads it */
  readonly path: string;
  /** a JSON string literal that reads back to the exact path */
  readonly exactPath: string;
  /** changed lines; null where lines mean nothing */
  readonly lines: { readonly added: number; readonly removed: number } | null;
  /** what happens to it beside changed lines, such as `now executable` */
  readonly words: readonly string[];
  readonly flags: readonly string[];
  readonly conflict: string | null;
  /** it is text with lines of its own to show */
  readonly hasDiff: boolean;
}

export type Section = TextSection | FileSection;

export interface Asker {
  readonly who: string;
  readonly task: string | null;
  readonly machine: string | null;
  readonly run: string;
  /** those it works for, nearest first */
  readonly parents: readonly string[];
}

/** A grant that may be given, with the rule that it adds, word for word. */
export interface GrantOffer {
  readonly scopeKind: GrantScopeKind;
  /** most uses when a person names no number */
  readonly usesMax: number;
  readonly text: readonly string[];
}

export type GrantScopeKind = "task" | "run" | "7 days";

/** What a face may offer; what is not here cannot be answered. */
export type CardChoice =
  "view" | "approve" | "files" | "edit" | "reject" | "freeze" | "grant" | "stop";

export interface Card extends Assessment {
  readonly title: string;
  readonly shortId: string;
  /** SHA-256 of the envelope it was drawn from */
  readonly digest: string;
  /** RFC 3339; null: it does not expire */
  readonly expiresAt: string | null;
  /** null: not said by a host, so not known */
  readonly asker: Asker | null;
  readonly facts: readonly Fact[];
  readonly sections: readonly Section[];
  /** what people miss, in a few words each */
  readonly flags: readonly string[];
  readonly why: {
    readonly answer: PolicyAnswer;
    readonly rules: readonly string[];
    readonly reason: string;
  } | null;
  /** what happens when a person says yes, a sentence each */
  readonly onYes: readonly string[];
  /** what else is to be known of what lies before the person, such as files that were refused */
  readonly remarks: readonly string[];
  /** where else it can be answered, such as a command */
  readonly elsewhere: readonly string[];
  /** the asker's own words, line by line; empty: it said nothing */
  readonly says: readonly string[];
  readonly choices: readonly CardChoice[];
  readonly grants: readonly GrantOffer[];
  /** ids of sections that have to be opened before an approval counts */
  readonly mustOpen: readonly string[];
}

export function filesOf(card: Card): readonly FileSection[] {
  return card.sections.filter((section) => section.kind === "file");
}
