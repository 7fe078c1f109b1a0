/** The rows of the audit and its checkpoints, as they are kept. What chains them is not the store's. */
import type { Database, Row } from "./database.ts";

export interface AuditRow {
  /** 0, 1, 2, … */
  readonly seq: number;
  /** `ms` since 1970 */
  readonly at: number;
  readonly kind: string;
  readonly subject: string | null;
  /** canonical JSON */
  readonly facts: string;
  readonly hash: Uint8Array;
}

export interface CheckpointRow {
  /** of the last row it is about */
  readonly seq: number;
  /** of that row */
  readonly hash: Uint8Array;
  /** id of the key that signed */
  readonly key: string;
  readonly signature: Uint8Array;
}

export class AuditTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  append({ seq, at, kind, subject, facts, hash }: AuditRow): void {
    const sql = "INSERT INTO audit (seq, at, kind, subject, facts, hash) VALUES (?, ?, ?, ?, ?, ?)";
    this.#database.write(sql, seq, at, kind, subject, facts, hash);
  }

  /** Where the next row is chained to. */
  last(): Pick<AuditRow, "seq" | "hash"> | undefined {
    const sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    const row = this.#database.first(sql);
    return row && { seq: Number(row["seq"]), hash: toBytes(row["hash"]) };
  }

  get(seq: number): AuditRow | undefined {
    const row = this.#database.first("SELECT * FROM audit WHERE seq = ?", seq);
    return row && toAudit(row);
  }

  /** The rows after one, in order. */
  *after(seq: number): Generator<AuditRow, void, undefined> {
    const sql = "SELECT * FROM audit WHERE seq > ? ORDER BY seq";
    for (const row of this.#database.rows(sql, seq)) yield toAudit(row);
  }

  /** The newest first. */
  *newest(): Generator<AuditRow, void, undefined> {
    const sql = "SELECT * FROM audit ORDER BY seq DESC";
    for (const row of this.#database.rows(sql)) yield toAudit(row);
  }

  /** The checkpoint stands in the place of all from `from` on: it says what they said. */
  putCheckpoint({ seq, hash, key, signature }: CheckpointRow, from: number): void {
    this.#database.write("DELETE FROM checkpoints WHERE seq >= ?", from);
    const sql = "INSERT INTO checkpoints (seq, hash, key, signature) VALUES (?, ?, ?, ?)";
    this.#database.write(sql, seq, hash, key, signature);
  }

  lastCheckpoint(): CheckpointRow | undefined {
    const row = this.#database.first("SELECT * FROM checkpoints ORDER BY seq DESC LIMIT 1");
    return row && toCheckpoint(row);
  }

  *checkpoints(): Generator<CheckpointRow, void, undefined> {
    const sql = "SELECT * FROM checkpoints ORDER BY seq";
    for (const row of this.#database.rows(sql)) yield toCheckpoint(row);
  }
}

function toAudit(row: Row): AuditRow {
  return {
    seq: Number(row["seq"]),
    at: Number(row["at"]),
    kind: String(row["kind"]),
    subject: row["subject"] == null ? null : String(row["subject"]),
    facts: String(row["facts"]),
    hash: toBytes(row["hash"]),
  };
}

function toCheckpoint(row: Row): CheckpointRow {
  return {
    seq: Number(row["seq"]),
    hash: toBytes(row["hash"]),
    key: String(row["key"]),
    signature: toBytes(row["signature"]),
  };
}

/** A damaged row may hold anything: what is not bytes is none. */
function toBytes(value: Row[string] | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}
