/** Tells when somebody committed: this process says so itself, another's commits are looked for. */
import type { Database } from "./database.ts";

export interface StoreChange {
  /** another process made it */
  readonly isForeign: boolean;
}

type Listener = (change: StoreChange) => void;

/** how often another's commits are looked for, in `ms`; a look takes microseconds */
const lookMs = 50;

export class ChangeWatch {
  readonly #database: Database;
  readonly #listeners = new Set<{ readonly listener: Listener }>();
  #timer: NodeJS.Timeout | undefined;
  #version: number | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  listen(listener: Listener): Disposable {
    const entry = { listener };
    this.#listeners.add(entry);
    if (this.#timer === undefined) {
      this.#version = this.#readVersion();
      this.#timer = setInterval(() => this.#look(), lookMs).unref();
    }
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(entry);
        if (this.#listeners.size === 0) this.#rest();
      },
    };
  }

  /** Calls whoever listens; what one throws is its own mistake and ends no commit. */
  tell(change: StoreChange): void {
    for (const { listener } of this.#listeners) queueMicrotask(() => listener(change));
  }

  close(): void {
    this.#listeners.clear();
    this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const version = this.#readVersion();
    if (version === this.#version) return;
    this.#version = version;
    this.tell({ isForeign: true });
  }

  /** Moves when another connection committed, and only then. */
  #readVersion(): number {
    return Number(this.#database.first("PRAGMA data_version")?.["data_version"]);
  }
}
