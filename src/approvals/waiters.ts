/** Askers that wait for an answer, whoever gives it: this process, or another on the same ledger. */
import { createDeferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import type { Approval } from "./approval.ts";
import type { Ledger } from "./ledger.ts";

export class Waiters {
  readonly #ledger: Ledger;
  readonly #waiting = new Map<string, Deferred<Approval>>();
  #watch: Disposable | undefined;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Resolves with the approval once it is pending no more. */
  wait(id: string): Promise<Approval> {
    const deferred = createDeferred<Approval>();
    this.#waiting.set(id, deferred);
    this.#watch ??= this.#ledger.onChange(({ isForeign }) => {
      if (isForeign) this.#look();
    });
    // it may have been answered elsewhere before anybody watched
    const now = this.#ledger.get(id);
    if (now !== undefined && now.state !== "pending") this.settle(now);
    return deferred.promise;
  }

  /** Tells whoever waits for it; nothing when nobody does. */
  settle(approval: Approval): void {
    const { id } = approval.envelope;
    this.#waiting.get(id)?.resolve(approval);
    this.#waiting.delete(id);
    if (this.#waiting.size > 0) return;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }

  #look(): void {
    const pending = new Set(this.#ledger.pendingIds());
    for (const id of [...this.#waiting.keys()]) {
      if (pending.has(id)) continue;
      const approval = this.#ledger.get(id);
      if (approval !== undefined) this.settle(approval);
    }
  }
}
