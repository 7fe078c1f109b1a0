/** A ledger in memory with a clock that tests turn: the same rules as the real one, nothing durable. */
import { nextStates } from "../../src/approvals/approval.ts";
import type { Approval } from "../../src/approvals/approval.ts";
import type { Grant } from "../../src/approvals/grant.ts";
import type {
  ApprovalFilter,
  AuditEntry,
  Ledger,
  LedgerChange,
  LedgerTransaction,
  RegisteredFace,
} from "../../src/approvals/ledger.ts";

interface State {
  approvals: Map<string, Approval>;
  grants: Map<string, Grant>;
  audit: AuditEntry[];
}

export class MemoryLedger implements Ledger {
  time: number = Date.parse("2026-11-22T10:00:00.000Z");
  #state: State = { approvals: new Map(), grants: new Map(), audit: [] };
  readonly #faces = new Set<RegisteredFace>();
  readonly #listeners = new Set<(change: LedgerChange) => void>();

  get audit(): readonly AuditEntry[] {
    return this.#state.audit;
  }

  commit<T>(work: (transaction: LedgerTransaction) => T): Promise<T> {
    return this.#commit(work, false);
  }

  async #commit<T>(work: (transaction: LedgerTransaction) => T, isForeign: boolean): Promise<T> {
    await Promise.resolve();
    const draft: State = {
      approvals: new Map(this.#state.approvals),
      grants: new Map(this.#state.grants),
      audit: [...this.#state.audit],
    };
    const result = work(this.#transaction(draft));
    this.#state = draft;
    this.#tell(isForeign);
    return result;
  }

  /** What another process on the same store does. */
  async commitElsewhere(work: (transaction: LedgerTransaction) => void): Promise<void> {
    await Promise.resolve();
    work(this.#transaction(this.#state));
    this.#tell(true);
  }

  /** The same store as another process has it: each is told of the other's commits. */
  elsewhere(): Ledger {
    const commit = (work: (transaction: LedgerTransaction) => unknown): Promise<unknown> =>
      this.#commit(work, true);
    return new Proxy<Ledger>(this, {
      get: (ledger, name: keyof Ledger) =>
        name === "commit" ? commit : (ledger[name] as () => unknown).bind(ledger),
    });
  }

  now(): number {
    return this.time;
  }

  get(id: string): Approval | undefined {
    return this.#state.approvals.get(id);
  }

  find(id: string): Approval | undefined {
    return this.get(id) ?? this.list().find(({ shortId }) => shortId === id.toUpperCase());
  }

  list({ states, run, limit = 1000 }: ApprovalFilter = {}): readonly Approval[] {
    return [...this.#state.approvals.values()]
      .filter(({ state }) => states?.includes(state) ?? true)
      .filter(({ envelope }) => run === undefined || envelope.run === run)
      .reverse()
      .slice(0, limit);
  }

  pendingIds(): readonly string[] {
    return this.list({ states: ["pending"], limit: Infinity })
      .map(({ envelope }) => envelope.id)
      .reverse();
  }

  count(filter: ApprovalFilter = {}): number {
    return this.list({ ...filter, limit: Infinity }).length;
  }

  countPrompts(run: string): number {
    return this.list({ run, limit: Infinity }).filter(
      ({ envelope, verdict, decision, state }) =>
        envelope.replaces === null &&
        verdict.answer === "ask" &&
        (decision !== null || state !== "rejected"),
    ).length;
  }

  grants(): readonly Grant[] {
    return [...this.#state.grants.values()].filter((grant) => this.#isLive(grant));
  }

  registerFace(face: RegisteredFace): Disposable {
    this.#faces.add(face);
    return { [Symbol.dispose]: () => void this.#faces.delete(face) };
  }

  faces(): readonly RegisteredFace[] {
    return [...this.#faces];
  }

  onChange(listener: (change: LedgerChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #tell(isForeign: boolean): void {
    for (const listener of [...this.#listeners]) listener({ isForeign });
  }

  #isLive({ uses, usesMax, expiresAt, revokedAt }: Grant): boolean {
    return uses < usesMax && revokedAt === null && Date.parse(expiresAt) > this.time;
  }

  #transaction(state: State): LedgerTransaction {
    return {
      now: this.time,
      insert: (approval) => {
        if (state.approvals.has(approval.envelope.id)) throw new Error("inserted twice");
        state.approvals.set(approval.envelope.id, approval);
      },
      get: (id) => state.approvals.get(id),
      move: (id, from, to, change) => {
        const approval = state.approvals.get(id);
        if (approval?.state !== from) return false;
        if (!nextStates[from].includes(to)) throw new Error(`${from} does not lead to ${to}`);
        const stateAt = new Date(this.time).toISOString();
        state.approvals.set(id, { ...approval, ...change, state: to, stateAt });
        return true;
      },
      addGrant: (grant) => void state.grants.set(grant.id, grant),
      useGrant: (id) => {
        const grant = state.grants.get(id);
        if (grant === undefined || !this.#isLive(grant)) return false;
        state.grants.set(id, { ...grant, uses: grant.uses + 1 });
        return true;
      },
      revokeGrant: (id) => {
        const grant = state.grants.get(id);
        if (grant?.revokedAt !== null) return false;
        state.grants.set(id, { ...grant, revokedAt: new Date(this.time).toISOString() });
        return true;
      },
      record: (entry) => void state.audit.push(entry),
    };
  }
}
