/** What the audit is told, and what it makes of it. */

/** JSON as it can be written canonically. */
export type AuditValue = null | boolean | number | string | readonly AuditValue[] | AuditFacts;

export interface AuditFacts {
  readonly [name: string]: AuditValue;
}

/** One thing that happened. */
export interface AuditEntry {
  /** `envelope`, `decision`, `execution-started`, `machine-started`, … */
  readonly kind: string;
  /** id of what it is about, or null */
  readonly subject: string | null;
  readonly facts: AuditFacts;
}

/** One thing that happened, in its place in the chain. */
export interface AuditRecord extends AuditEntry {
  /** 0, 1, 2, … */
  readonly seq: number;
  /** RFC 3339, UTC, with milliseconds */
  readonly at: string;
  /** SHA-256 over the record before and this one, in hexadecimal */
  readonly hash: string;
}

/** The newest record that is known: stands for all before it. */
export interface ChainHead {
  readonly seq: number;
  /** SHA-256 in hexadecimal */
  readonly hash: string;
}
