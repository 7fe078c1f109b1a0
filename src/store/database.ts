/**
 * One connection to the database: statements prepared once, every error made a LuminaGuardError,
 * and no writing outside a transaction.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "@photostructure/sqlite";
import type { StatementSyncInstance } from "@photostructure/sqlite";
import { toStoreError } from "./store-error.ts";

export type Value = null | number | string | Uint8Array;

/** A row as it was selected: the columns that the statement names. */
export type Row = Readonly<Record<string, Value>>;

export interface DatabaseOptions {
  /** longest wait for another process's lock in `ms`; this process stands still meanwhile
   * @default 1000 */
  readonly busyTimeoutMs?: number;
}

/** statements kept prepared; there are fewer in the source */
const statementsMax = 200;

/**
 * Each commit is flushed to disk (`synchronous`), what is deleted is overwritten (`secure_delete`),
 * and a schema that somebody changed runs no code of its own (`trusted_schema`).
 */
const settings = `
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA secure_delete = ON;
  PRAGMA journal_size_limit = 4194304;
`;

export class Database {
  readonly #connection: InstanceType<typeof DatabaseSync>;
  readonly #statements = new Map<string, StatementSyncInstance>();
  readonly #iterating = new Set<StatementSyncInstance>();

  /** Opens the file, or makes it. Raises STORE_FAILED or HOST_LIMIT. */
  constructor(path: string, { busyTimeoutMs = 1000 }: DatabaseOptions = {}) {
    this.#connection = guard("the store cannot be opened", () => {
      const connection = new DatabaseSync(path, {
        timeout: busyTimeoutMs,
        enableForeignKeyConstraints: true,
        enableDoubleQuotedStringLiterals: false,
        defensive: true,
      });
      try {
        connection.exec(settings);
        return connection;
      } catch (error) {
        connection.close();
        throw error;
      }
    });
  }

  get isTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /** Statements without parameters and results, such as `BEGIN IMMEDIATE`. */
  exec(sql: string): void {
    guard("the store cannot be written", () => this.#connection.exec(sql));
  }

  /** Changes rows, inside a transaction only; gives how many. */
  write(sql: string, ...parameters: readonly Value[]): number {
    assert(this.isTransaction, "the store is written inside a commit only");
    return guard(
      "the store cannot be written",
      () => this.#prepare(sql).run(...parameters).changes,
    );
  }

  first(sql: string, ...parameters: readonly Value[]): Row | undefined {
    return guard(
      "the store cannot be read",
      () => this.#prepare(sql).get(...parameters) as Row | undefined,
    );
  }

  all(sql: string, ...parameters: readonly Value[]): readonly Row[] {
    return guard("the store cannot be read", () => this.#prepare(sql).all(...parameters) as Row[]);
  }

  /** One row after the other, so that any number of them needs the memory of one. */
  *rows(sql: string, ...parameters: readonly Value[]): Generator<Row, void, undefined> {
    const statement = guard("the store cannot be read", () => this.#connection.prepare(sql));
    // an iterator does not keep its statement from being collected, which would end the process
    this.#iterating.add(statement);
    try {
      yield* statement.iterate(...parameters) as Iterable<Row>;
    } catch (error) {
      throw toStoreError(error, "the store cannot be read");
    } finally {
      this.#iterating.delete(statement);
    }
  }

  close(): void {
    this.#statements.clear();
    guard("the store cannot be closed", () => this.#connection.close());
  }

  #prepare(sql: string): StatementSyncInstance {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    assert(this.#statements.size < statementsMax, "statements have parameters, not values in them");
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function guard<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toStoreError(error, what);
  }
}
