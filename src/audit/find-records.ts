/** Records that somebody looks for, the newest of them. */
import type { AuditRow } from "../store/audit-table.ts";
import type { AuditFacts, AuditRecord } from "./audit-entry.ts";

export interface RecordFilter {
  readonly kind?: string | undefined;
  /** id of what it is about, or how that begins */
  readonly subject?: string | undefined;
  /** not before this, in `ms` since 1970 */
  readonly since?: number | undefined;
  /** the newest so many
   * @default 100 */
  readonly limit?: number | undefined;
}

const limitDefault = 100;

/** The oldest first. `newest` gives all rows, the newest first. */
export function findRecords(
  newest: Iterable<AuditRow>,
  { kind, subject, since = 0, limit = limitDefault }: RecordFilter = {},
): readonly AuditRecord[] {
  const found: AuditRecord[] = [];
  for (const row of newest) {
    if (row.at < since || found.length >= limit) break;
    if (kind !== undefined && row.kind !== kind) continue;
    if (subject !== undefined && row.subject?.startsWith(subject) !== true) continue;
    found.push(toRecord(row));
  }
  return found.reverse();
}

function toRecord({ seq, at, kind, subject, facts, hash }: AuditRow): AuditRecord {
  return {
    ...{ seq, kind, subject },
    at: new Date(at).toISOString(),
    facts: JSON.parse(facts) as AuditFacts,
    hash: Buffer.from(hash).toString("hex"),
  };
}
