/** Grants as they are kept: so many uses, until a time, unless revoked. */
import type { Database, Row } from "./database.ts";

export interface GrantRow {
  /** ULID */
  readonly id: string;
  /** JSON */
  readonly scope: string;
  readonly text: string;
  readonly usesMax: number;
  readonly uses: number;
  /** `ms` since 1970 */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revokedAt: number | null;
}

const columns = "id, scope, text, uses_max, uses, created_at, expires_at, revoked_at";
const stands = "uses < uses_max AND expires_at > ? AND revoked_at IS NULL";

export class GrantTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  insert(row: GrantRow): void {
    this.#database.write(
      `INSERT INTO grants (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[row.id, row.scope, row.text, row.usesMax, row.uses],
      ...[row.createdAt, row.expiresAt, row.revokedAt],
    );
  }

  /** One use less: false when none is left, it expired, or it was revoked. */
  use(id: string, now: number): boolean {
    const sql = `UPDATE grants SET uses = uses + 1 WHERE id = ? AND ${stands}`;
    return this.#database.write(sql, id, now) === 1;
  }

  /** False when there is none, or it was revoked before. */
  revoke(id: string, now: number): boolean {
    const sql = "UPDATE grants SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
    return this.#database.write(sql, now, id) === 1;
  }

  /** Those that can be used, the oldest first. */
  standing(now: number): readonly GrantRow[] {
    const sql = `SELECT ${columns} FROM grants WHERE ${stands} ORDER BY seq`;
    return this.#database.all(sql, now).map(toGrant);
  }

  hasForgettable(before: number): boolean {
    const sql = "SELECT 1 FROM grants WHERE expires_at <= ? LIMIT 1";
    return this.#database.first(sql, before) !== undefined;
  }

  /** Deletes those that expired before then, `limit` at most; gives how many. */
  forget(before: number, limit: number): number {
    const passed = "SELECT seq FROM grants WHERE expires_at <= ? LIMIT ?";
    return this.#database.write(`DELETE FROM grants WHERE seq IN (${passed})`, before, limit);
  }
}

function toGrant(row: Row): GrantRow {
  return {
    id: String(row["id"]),
    scope: String(row["scope"]),
    text: String(row["text"]),
    usesMax: Number(row["uses_max"]),
    uses: Number(row["uses"]),
    createdAt: Number(row["created_at"]),
    expiresAt: Number(row["expires_at"]),
    revokedAt: row["revoked_at"] == null ? null : Number(row["revoked_at"]),
  };
}
