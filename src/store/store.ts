/**
 * Decisions and their audit in one SQLite file, `ledger.sqlite` in the state folder. Several processes
 * of one user may have it open; one writes at a time. A commit is durable when its promise resolves.
 */
import { chmod, open } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, toHostError } from "../base/host-error.ts";
import { LuminaGuardError } from "../errors.ts";
import { makePrivateFolder } from "../base/private-folder.ts";
import { ApprovalTable } from "./approval-table.ts";
import { AuditTable } from "./audit-table.ts";
import { ChangeWatch } from "./change-watch.ts";
import type { StoreChange } from "./change-watch.ts";
import { Database } from "./database.ts";
import type { DatabaseOptions } from "./database.ts";
import { FaceTable } from "./face-table.ts";
import { GrantTable } from "./grant-table.ts";
import { GroupCommit } from "./group-commit.ts";
import { migrate } from "./migrations.ts";
import { SteadyClock } from "./steady-clock.ts";
import type { Clock } from "./steady-clock.ts";

export interface StoreOptions extends DatabaseOptions {
  /** folder of the file; made when it is missing */
  readonly stateDir: string;
  /** @default the system's */
  readonly clock?: Clock;
  /** most works that wait for the disk
   * @default 10_000 */
  readonly waitingMax?: number;
}

const fileName = "ledger.sqlite";
/** rows that are forgotten in one commit, commits at a time, and how often, in `ms` */
const forgetMax = 500;
const forgetCommitsMax = 20;
const forgetEveryMs = 10 * 60 * 1000;
/** a grant is looked back at for as long as an approval is, in `ms` */
const grantKeptMs = 7 * 24 * 3600 * 1000;

export interface AuditSnapshot extends Disposable {
  readonly audit: AuditTable;
}

export class Store implements AsyncDisposable {
  readonly approvals: ApprovalTable;
  readonly grants: GrantTable;
  readonly faces: FaceTable;
  readonly audit: AuditTable;
  readonly #path: string;
  readonly #database: Database;
  readonly #clock: SteadyClock;
  readonly #group: GroupCommit;
  readonly #watch: ChangeWatch;
  readonly #forgetting: NodeJS.Timeout;
  readonly #seals = new Set<() => void>();
  #isOpen = true;

  private constructor(database: Database, { stateDir, clock, waitingMax }: StoreOptions) {
    this.#path = join(stateDir, fileName);
    this.#database = database;
    this.approvals = new ApprovalTable(database);
    this.grants = new GrantTable(database);
    this.faces = new FaceTable(database);
    this.audit = new AuditTable(database);
    this.#watch = new ChangeWatch(database);
    this.#clock = new SteadyClock(clock);
    this.#clock.notBefore(this.#readTime());
    this.#group = new GroupCommit({
      database,
      begin: () => this.#clock.notBefore(this.#readTime()),
      seal: () => {
        for (const seal of this.#seals) seal();
        database.write("UPDATE clock SET at = ?", this.now());
      },
      committed: () => this.#watch.tell({ isForeign: false }),
      ...(waitingMax !== undefined && { waitingMax }),
    });
    this.#forgetting = setInterval(() => void this.#forget().catch(() => undefined), forgetEveryMs); // the next time tries again
    this.#forgetting.unref();
  }

  /** Raises STORE_FAILED for what is not our database or one of a later version, or HOST_LIMIT. */
  static async open(options: StoreOptions): Promise<Store> {
    const { stateDir } = options;
    await makePrivateFolder(stateDir);
    const path = join(stateDir, fileName);
    await makePrivateFile(path);
    const database = new Database(path, options);
    try {
      migrate(database);
      const store = new Store(database, options);
      await store.#tryForget();
      return store;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** It was not closed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Runs the work in a transaction; resolves with what it gave when that is durable. The work is
   * synchronous. What it throws undoes it, and rejects. Raises STORE_FAILED or HOST_LIMIT.
   */
  commit<T>(work: () => T): Promise<T> {
    if (!this.#isOpen) {
      return Promise.reject(new LuminaGuardError("STORE_FAILED", "the store was closed before"));
    }
    return this.#group.commit(work);
  }

  /** Resolves when nothing waits for the disk. */
  drain(): Promise<void> {
    return this.#group.drain();
  }

  /** A commit within this call, for what cannot wait. */
  commitNow<T>(work: () => T): T {
    return this.#group.commitNow(work);
  }

  /** Called inside each transaction after its last work, to write what belongs to all of them. */
  beforeCommit(seal: () => void): void {
    this.#seals.add(seal);
  }

  /** Time that never goes back, neither in this process nor from one start to the next, in `ms`. */
  now(): number {
    return this.#clock.now();
  }

  /** Called after any commit: at once in this process, within 100 ms for another's. */
  onChange(listener: (change: StoreChange) => void): Disposable {
    return this.#watch.listen(listener);
  }

  /** The audit as it is now, whatever is committed meanwhile. The caller closes it soon. */
  openAudit(): AuditSnapshot {
    const database = new Database(this.#path);
    try {
      database.exec("BEGIN");
      database.first("SELECT 1 FROM audit LIMIT 1"); // from here on nothing moves
      return {
        audit: new AuditTable(database),
        [Symbol.dispose]: () => {
          // the connection itself goes when its statements are collected; what it reads from, now
          if (database.isTransaction) database.exec("ROLLBACK");
          database.close();
        },
      };
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Waits for what was asked for, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#forgetting);
    this.#watch.close();
    await this.#group.drain();
    this.#database.close();
  }

  #readTime(): number {
    return Number(this.#database.first("SELECT at FROM clock")?.["at"] ?? 0);
  }

  /** Deletes what was kept long enough, some at a time; the audit is kept for good. */
  async #forget(): Promise<void> {
    for (let commits = 0; commits < forgetCommitsMax && this.#isOpen; commits++) {
      const now = this.now();
      const grantsBefore = now - grantKeptMs;
      const isDue = this.approvals.hasForgettable(now) || this.grants.hasForgettable(grantsBefore);
      if (!isDue) return;
      await this.commit(() => {
        this.approvals.forget(now, forgetMax);
        this.grants.forget(grantsBefore, forgetMax);
      });
    }
  }

  /** What could not be forgotten now is at the next start, or in a while. */
  #tryForget(): Promise<void> {
    return this.#forget().catch(() => undefined);
  }
}

/** The files that SQLite makes beside it get its rights. */
async function makePrivateFile(path: string): Promise<void> {
  try {
    // an existing one is not opened: closing it would give up this process's locks on it
    await open(path, "wx", 0o600).then((file) => file.close());
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw toHostError(error, "the store cannot be made");
    await chmod(path, 0o600).catch(() => undefined); // a read-only disk keeps what it has
  }
}
