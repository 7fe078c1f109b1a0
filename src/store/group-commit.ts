/**
 * Works that are asked for in one turn of the event loop become one transaction and one flush to
 * disk. Each is under a savepoint of its own: what it throws undoes it alone.
 *
 *   commit(a) ┐
 *   commit(b) ├─ BEGIN IMMEDIATE · a · b (throws, undone) · c · seal · COMMIT ─ a and c resolve, b rejects
 *   commit(c) ┘
 */
import { createDeferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import type { Database } from "./database.ts";
import { isBusy } from "./store-error.ts";

export interface GroupCommitOptions {
  readonly database: Database;
  /** Called inside the transaction before its first work. */
  readonly begin: () => void;
  /** Called inside the transaction after its last work. */
  readonly seal: () => void;
  /** Called after the transaction is durable. */
  readonly committed: () => void;
  /** longest wait for other processes in `ms`
   * @default 10_000 */
  readonly busyTimeoutMs?: number;
  /** most works that wait
   * @default 10_000 */
  readonly waitingMax?: number;
}

interface Waiting {
  readonly work: () => unknown;
  readonly done: Deferred<unknown>;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** works in one transaction; other processes wait meanwhile */
const batchMax = 1000;
/** another process that holds the lock is asked again after this long in `ms` */
const retryMs = 5;

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #busyTimeoutMs: number;
  readonly #waitingMax: number;
  #waiting: Waiting[] = [];
  #isScheduled = false;
  /** since when another process has been in the way, by `performance.now()` */
  #busySince: number | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#busyTimeoutMs = options.busyTimeoutMs ?? 10_000;
    this.#waitingMax = options.waitingMax ?? 10_000;
  }

  commit<T>(work: () => T): Promise<T> {
    if (this.#waiting.length >= this.#waitingMax) {
      const message = `more than ${this.#waitingMax} changes wait for the disk`;
      const hint = "ask for less at once, or look at the host's disk";
      return Promise.reject(new LuminaGuardError("STORE_FAILED", message, { hint }));
    }
    const done = createDeferred<unknown>();
    this.#waiting.push({ work, done });
    this.#schedule();
    return done.promise as Promise<T>;
  }

  /** Writes now, within this call. */
  commitNow<T>(work: () => T): T {
    this.#options.database.exec("BEGIN IMMEDIATE");
    const [outcome] = this.#run([work]);
    this.#options.committed();
    if (outcome !== undefined && "value" in outcome) return outcome.value as T;
    throw outcome?.error;
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    for (let last = this.#waiting.at(-1); last !== undefined; last = this.#waiting.at(-1)) {
      await last.done.promise.catch(() => undefined); // whoever asked for it is told
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    const flush = (): void => {
      this.#isScheduled = false;
      this.#flush();
      this.#schedule();
    };
    if (this.#busySince === undefined) setImmediate(flush);
    else setTimeout(flush, retryMs);
  }

  #flush(): void {
    const batch = this.#waiting.slice(0, batchMax);
    const outcomes = this.#begin() ?? this.#run(batch.map(({ work }) => work));
    if (outcomes === "later") return;
    this.#waiting = this.#waiting.slice(batch.length);
    this.#options.committed();
    batch.forEach(({ done }, index) => {
      const outcome = outcomes[index] ?? outcomes[0];
      if (outcome !== undefined && "value" in outcome) done.resolve(outcome.value);
      else done.reject(outcome?.error);
    });
  }

  /** Nothing when the transaction has begun; else why not, or that it is to be tried again. */
  #begin(): undefined | "later" | readonly [Outcome] {
    try {
      this.#options.database.exec("BEGIN IMMEDIATE");
      this.#busySince = undefined;
      return undefined;
    } catch (error) {
      this.#busySince ??= performance.now();
      const waited = performance.now() - this.#busySince;
      if (isBusy(error) && waited < this.#busyTimeoutMs) return "later";
      this.#busySince = undefined;
      return [{ error }];
    }
  }

  /** What became of each work, once it is durable; the same error for all when nothing was written. */
  #run(works: readonly (() => unknown)[]): readonly Outcome[] {
    const { database, begin, seal } = this.#options;
    try {
      begin();
      const outcomes = works.map((work) => this.#try(work));
      seal();
      database.exec("COMMIT");
      return outcomes;
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      return works.map(() => ({ error }));
    }
  }

  #try(work: () => unknown): Outcome {
    const { database } = this.#options;
    database.exec("SAVEPOINT work");
    try {
      const value = work();
      database.exec("RELEASE work");
      return { value };
    } catch (error) {
      // SQLite ends the whole transaction itself when the disk fails
      if (!database.isTransaction) throw error;
      database.exec("ROLLBACK TO work");
      database.exec("RELEASE work");
      return { error };
    }
  }
}
