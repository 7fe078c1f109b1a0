/**
 * How the database came to its form, step by step. A step that was released is never changed: the
 * next one is added below it, and `PRAGMA user_version` counts those that were done.
 */
import { LuminaGuardError } from "../errors.ts";
import type { Database } from "./database.ts";

const firstForm = `
  CREATE TABLE approvals (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    short_id    TEXT NOT NULL,
    run         TEXT NOT NULL,
    state       TEXT NOT NULL,
    digest      TEXT NOT NULL,
    envelope    TEXT NOT NULL,
    verdict     TEXT NOT NULL,
    decision    TEXT,
    outcome     TEXT NOT NULL,
    owner       TEXT NOT NULL,
    state_at    INTEGER NOT NULL,
    kept_until  INTEGER NOT NULL,
    was_prompt  INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX approvals_by_short_id ON approvals (short_id);
  CREATE INDEX approvals_by_run ON approvals (run, state);
  CREATE INDEX approvals_asked ON approvals (run) WHERE was_prompt = 1;
  CREATE INDEX approvals_by_state ON approvals (state);
  CREATE INDEX approvals_by_kept_until ON approvals (kept_until);
  CREATE TRIGGER approvals_ask_one_thing BEFORE UPDATE OF id, digest, envelope ON approvals
  BEGIN SELECT RAISE(ABORT, 'an envelope never changes'); END;

  CREATE TABLE grants (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    scope       TEXT NOT NULL,
    text        TEXT NOT NULL,
    uses_max    INTEGER NOT NULL,
    uses        INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    revoked_at  INTEGER
  ) STRICT;
  CREATE INDEX grants_by_expires_at ON grants (expires_at);

  CREATE TABLE faces (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    owner  TEXT NOT NULL
  ) STRICT;

  CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT,
    facts    TEXT NOT NULL,
    hash     BLOB NOT NULL
  ) STRICT;
  CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
  CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;

  CREATE TABLE checkpoints (
    seq        INTEGER PRIMARY KEY,
    hash       BLOB NOT NULL,
    key        TEXT NOT NULL,
    signature  BLOB NOT NULL
  ) STRICT;

  CREATE TABLE clock (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    at  INTEGER NOT NULL
  ) STRICT;
  INSERT INTO clock (id, at) VALUES (1, 0);
`;

export const migrations: readonly string[] = [firstForm];

/** Brings the database to this version's form. Raises STORE_FAILED for one of a later version. */
export function migrate(database: Database, steps: readonly string[] = migrations): void {
  if (versionOf(database, steps) === steps.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    // another process may have been first while this one waited for the lock
    for (const step of steps.slice(versionOf(database, steps))) database.exec(step);
    database.exec(`PRAGMA user_version = ${steps.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function versionOf(database: Database, steps: readonly string[]): number {
  const version = Number(database.first("PRAGMA user_version")?.["user_version"]);
  if (version <= steps.length) return version;
  throw new LuminaGuardError(
    "STORE_FAILED",
    `the store was written by a later LuminaGuard: it has version ${version}, this one knows ${steps.length}`,
    { hint: "use the later LuminaGuard, or another state folder: LUMINAGUARD_STATE_DIR" },
  );
}
