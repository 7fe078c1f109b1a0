/**
 * Approvals as they are kept: what is looked for in columns, the rest as the text it came as. The
 * store knows neither what an envelope holds nor which states there are.
 */
import type { Database, Row, Value } from "./database.ts";

export interface ApprovalRow {
  /** ULID */
  readonly id: string;
  readonly shortId: string;
  readonly run: string;
  readonly state: string;
  /** SHA-256 of `envelope` in hexadecimal */
  readonly digest: string;
  /** canonical JSON */
  readonly envelope: string;
  /** JSON */
  readonly verdict: string;
  /** JSON */
  readonly decision: string | null;
  readonly outcome: string;
  /** the process that waits for it */
  readonly owner: string;
  /** when the state was reached, in `ms` since 1970 */
  readonly stateAt: number;
  /** when the row may be forgotten, in `ms` since 1970 */
  readonly keptUntil: number;
  /** a person was asked */
  readonly wasPrompt: boolean;
}

/** What may change beside the state. */
export type ApprovalRowChange = Partial<
  Pick<ApprovalRow, "decision" | "outcome" | "keptUntil" | "owner">
>;

export interface ApprovalRowFilter {
  readonly states?: readonly string[] | undefined;
  readonly run?: string | undefined;
}

const columns =
  "id, short_id, run, state, digest, envelope, verdict, decision, outcome, owner, state_at, kept_until, was_prompt";

export class ApprovalTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Raises STORE_FAILED when the id is taken. */
  insert(row: ApprovalRow): void {
    this.#database.write(
      `INSERT INTO approvals (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[row.id, row.shortId, row.run, row.state, row.digest, row.envelope, row.verdict],
      ...[row.decision, row.outcome, row.owner, row.stateAt, row.keptUntil],
      row.wasPrompt ? 1 : 0,
    );
  }

  get(id: string): ApprovalRow | undefined {
    return toApproval(this.#database.first(`SELECT ${columns} FROM approvals WHERE id = ?`, id));
  }

  /** The newest of that short id. */
  newest(shortId: string): ApprovalRow | undefined {
    const sql = `SELECT ${columns} FROM approvals WHERE short_id = ? ORDER BY seq DESC LIMIT 1`;
    return toApproval(this.#database.first(sql, shortId));
  }

  /** Compare-and-swap: false, and nothing changed, when the state is not `from`. */
  move(id: string, from: string, to: string, change: ApprovalRowChange, now: number): boolean {
    const set: readonly (readonly [string, Value | undefined])[] = [
      ["decision", change.decision],
      ["outcome", change.outcome],
      ["kept_until", change.keptUntil],
      ["owner", change.owner],
    ];
    const given = set.filter((entry): entry is [string, Value] => entry[1] !== undefined);
    const assignments = given.map(([column]) => `, ${column} = ?`).join("");
    return (
      this.#database.write(
        `UPDATE approvals SET state = ?, state_at = ?${assignments} WHERE id = ? AND state = ?`,
        ...[to, now, ...given.map(([, value]) => value), id, from],
      ) === 1
    );
  }

  /** The newest first. */
  list(filter: ApprovalRowFilter, limit: number): readonly ApprovalRow[] {
    const { where, values } = toCondition(filter);
    const sql = `SELECT ${columns} FROM approvals ${where} ORDER BY seq DESC LIMIT ?`;
    return this.#database.all(sql, ...values, limit).flatMap((row) => toApproval(row) ?? []);
  }

  /** The oldest first. */
  ids(filter: ApprovalRowFilter): readonly string[] {
    const { where, values } = toCondition(filter);
    const rows = this.#database.all(`SELECT id FROM approvals ${where} ORDER BY seq`, ...values);
    return rows.map((row) => String(row["id"]));
  }

  count(filter: ApprovalRowFilter): number {
    const { where, values } = toCondition(filter);
    const row = this.#database.first(`SELECT count(*) AS n FROM approvals ${where}`, ...values);
    return Number(row?.["n"]);
  }

  countPrompts(run: string): number {
    const sql = "SELECT count(*) AS n FROM approvals WHERE run = ? AND was_prompt = 1";
    return Number(this.#database.first(sql, run)?.["n"]);
  }

  hasForgettable(now: number): boolean {
    const sql = "SELECT 1 FROM approvals WHERE kept_until <= ? LIMIT 1";
    return this.#database.first(sql, now) !== undefined;
  }

  /** Deletes those whose time has passed, `limit` at most; gives how many. */
  forget(now: number, limit: number): number {
    const passed = "SELECT seq FROM approvals WHERE kept_until <= ? LIMIT ?";
    return this.#database.write(`DELETE FROM approvals WHERE seq IN (${passed})`, now, limit);
  }
}

function toCondition({ states, run }: ApprovalRowFilter): {
  readonly where: string;
  readonly values: readonly string[];
} {
  const conditions = [
    ...(states === undefined ? [] : [`state IN (${states.map(() => "?").join(", ")})`]),
    ...(run === undefined ? [] : ["run = ?"]),
  ];
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  return { where, values: [...(states ?? []), ...(run === undefined ? [] : [run])] };
}

function toApproval(row: Row | undefined): ApprovalRow | undefined {
  if (row === undefined) return undefined;
  return {
    id: String(row["id"]),
    shortId: String(row["short_id"]),
    run: String(row["run"]),
    state: String(row["state"]),
    digest: String(row["digest"]),
    envelope: String(row["envelope"]),
    verdict: String(row["verdict"]),
    decision: row["decision"] == null ? null : String(row["decision"]),
    outcome: String(row["outcome"]),
    owner: String(row["owner"]),
    stateAt: Number(row["state_at"]),
    keptUntil: Number(row["kept_until"]),
    wasPrompt: row["was_prompt"] === 1,
  };
}
