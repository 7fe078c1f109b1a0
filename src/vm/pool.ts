/**
 * Machines prepared ahead: spawned, greeted and warmed, so that a claim is a hand-over. Claims are
 * served in the order they came; what is claimed is made anew; closing ends what is waiting.
 */
import { createDeferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";

/** What a pool needs to know of the machines in it. */
export interface Pooled {
  /** settles when the machine is gone */
  readonly exited: Promise<unknown>;
  readonly stop: () => Promise<void>;
}

export interface PoolOptions<T extends Pooled> {
  /** machines kept waiting, 1 to 64 */
  readonly size: number;
  /** makes one machine, ready for its first command */
  readonly prepare: (signal: AbortSignal) => Promise<T>;
  /** head start of a claimed machine's first command before another machine is made, in `ms`
   * @default 0 */
  readonly refillDelayMs?: number;
  /** most claims that may wait
   * @default 1024 */
  readonly waitingMax?: number;
}

const sizeMax = 64;

export class Pool<T extends Pooled> implements AsyncDisposable {
  readonly #options: PoolOptions<T>;
  readonly #ready: T[] = [];
  readonly #waiting: Deferred<T>[] = [];
  readonly #closing = new AbortController();
  readonly #preparing = new Set<Promise<void>>();
  #refilling: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions<T>) {
    const { size } = options;
    if (!Number.isSafeInteger(size) || size < 1 || size > sizeMax) {
      throw new LuminaGuardError("CONFIG_INVALID", `the pool's size is ${size}`, {
        hint: `use a whole number from 1 to ${sizeMax}`,
      });
    }
    this.#options = options;
    this.#refill();
  }

  /** machines that wait to be claimed */
  get ready(): number {
    return this.#ready.length;
  }

  /**
   * The machine that waited longest; the caller owns it now. Raises VM_STATE when the pool was
   * closed, HOST_LIMIT when too many claims wait, the signal's reason, or why no machine could be made.
   */
  async claim(signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    this.#requireOpen();
    const next = this.#ready.shift();
    if (next !== undefined) {
      this.#refillLater();
      return next;
    }
    if (this.#waiting.length >= (this.#options.waitingMax ?? 1024)) {
      throw new LuminaGuardError("HOST_LIMIT", "too many claims wait for a machine");
    }
    return this.#wait(signal);
  }

  /** Ends every machine that waits, and every claim. Claimed machines are their owners'. */
  async close(): Promise<void> {
    this.#closing.abort(closed());
    clearTimeout(this.#refilling);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(closed());
    await Promise.all(this.#preparing);
    await Promise.all(this.#ready.splice(0).map((machine) => machine.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #wait(signal: AbortSignal | undefined): Promise<T> {
    const turn = createDeferred<T>();
    const leave = (): void => {
      const at = this.#waiting.indexOf(turn);
      if (at >= 0) this.#waiting.splice(at, 1);
      turn.reject(signal?.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    this.#waiting.push(turn);
    this.#refill();
    try {
      return await turn.promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  #refillLater(): void {
    const { refillDelayMs = 0 } = this.#options;
    if (refillDelayMs === 0) {
      this.#refill();
      return;
    }
    this.#refilling ??= setTimeout(() => {
      this.#refilling = undefined;
      this.#refill();
    }, refillDelayMs);
  }

  #refill(): void {
    if (this.#closing.signal.aborted) return;
    while (this.#ready.length + this.#preparing.size < this.#options.size) {
      const preparing = this.#prepareOne().then((isMade) => {
        this.#preparing.delete(preparing);
        // each failure ends a claim, so trying again for those that wait comes to an end
        if (isMade || this.#waiting.length > 0) this.#refill();
      });
      this.#preparing.add(preparing);
    }
  }

  /** Whether there was a machine. */
  async #prepareOne(): Promise<boolean> {
    const { signal } = this.#closing;
    try {
      this.#offer(await this.#options.prepare(signal));
      return true;
    } catch (error) {
      // a claim in line hears why; without one the next claim tries again
      this.#waiting.shift()?.reject(error);
      return false;
    }
  }

  #offer(machine: T): void {
    const turn = this.#waiting.shift();
    if (turn !== undefined) {
      turn.resolve(machine);
      return;
    }
    this.#ready.push(machine);
    void machine.exited.then(() => {
      const at = this.#ready.indexOf(machine);
      if (at < 0) return;
      this.#ready.splice(at, 1);
      this.#refill();
    });
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) throw closed();
  }
}

function closed(): LuminaGuardError {
  return new LuminaGuardError("VM_STATE", "the pool is closed");
}
