/**
 * The cliff's ledger over the store and the audit: approvals and grants as rows, times as numbers, and
 * what is read back checked like anything that comes from a disk.
 */
import type { Audit } from "../../audit/audit.ts";
import type { Grant } from "../../approvals/grant.ts";
import type {
  ApprovalFilter,
  Ledger,
  LedgerChange,
  LedgerTransaction,
  RegisteredFace,
} from "../../approvals/ledger.ts";
import type { Approval } from "../../approvals/approval.ts";
import type { Store } from "../../store/store.ts";
import { fromApprovalRow, fromGrantRow, toApprovalRow, toGrantRow } from "./ledger-rows.ts";

export interface StoreLedgerParts {
  readonly store: Store;
  readonly audit: Audit;
  /** Whether the process that a face is in is still there. */
  readonly isOwnerRunning: (owner: string) => boolean;
}

const listMax = 1000;
/** SQLite counts in 64 bits and knows no infinity */
const noLimit = Number.MAX_SAFE_INTEGER;

export class StoreLedger implements Ledger {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #isOwnerRunning: (owner: string) => boolean;

  constructor({ store, audit, isOwnerRunning }: StoreLedgerParts) {
    this.#store = store;
    this.#audit = audit;
    this.#isOwnerRunning = isOwnerRunning;
  }

  commit<T>(work: (transaction: LedgerTransaction) => T): Promise<T> {
    return this.#store.commit(() => work(this.#transaction()));
  }

  now(): number {
    return this.#store.now();
  }

  get(id: string): Approval | undefined {
    return fromApprovalRow(this.#store.approvals.get(id));
  }

  find(id: string): Approval | undefined {
    const name = normalise(id);
    const { approvals } = this.#store;
    return fromApprovalRow(approvals.get(name) ?? approvals.newest(name));
  }

  list({ states, run, limit = listMax }: ApprovalFilter = {}): readonly Approval[] {
    const rows = this.#store.approvals.list({ states, run }, Math.min(limit, noLimit));
    return rows.flatMap((row) => fromApprovalRow(row) ?? []);
  }

  pendingIds(): readonly string[] {
    return this.#store.approvals.ids({ states: ["pending"] });
  }

  count({ states, run }: Pick<ApprovalFilter, "states" | "run"> = {}): number {
    return this.#store.approvals.count({ states, run });
  }

  countPrompts(run: string): number {
    return this.#store.approvals.countPrompts(run);
  }

  grants(): readonly Grant[] {
    return this.#store.grants.standing(this.now()).map(fromGrantRow);
  }

  registerFace(face: RegisteredFace): Disposable {
    const { faces } = this.#store;
    const id = this.#store.commitNow(() => {
      const owners = new Set(faces.list().map(({ owner }) => owner));
      for (const owner of owners) if (!this.#isOwnerRunning(owner)) faces.removeOwner(owner);
      return faces.insert(face);
    });
    return { [Symbol.dispose]: () => this.#removeFace(id) };
  }

  faces(): readonly RegisteredFace[] {
    return this.#store.faces.list().filter(({ owner }) => this.#isOwnerRunning(owner));
  }

  onChange(listener: (change: LedgerChange) => void): Disposable {
    return this.#store.onChange(listener);
  }

  #removeFace(id: number): void {
    if (!this.#store.isOpen) return; // its process ends, and it with it
    this.#store.commitNow(() => this.#store.faces.remove(id));
  }

  #transaction(): LedgerTransaction {
    const { approvals, grants } = this.#store;
    const now = this.now();
    return {
      now,
      insert: (approval) => approvals.insert(toApprovalRow(approval)),
      get: (id) => this.get(id),
      move: (id, from, to, { decision, outcome, keptUntil, owner }) =>
        approvals.move(
          id,
          from,
          to,
          {
            ...(decision !== undefined && { decision: decision && JSON.stringify(decision) }),
            ...(outcome !== undefined && { outcome }),
            ...(keptUntil !== undefined && { keptUntil: Date.parse(keptUntil) }),
            ...(owner !== undefined && { owner }),
          },
          now,
        ),
      addGrant: (grant) => grants.insert(toGrantRow(grant)),
      useGrant: (id) => grants.use(id, now),
      revokeGrant: (id) => grants.revoke(id, now),
      record: (entry) => this.#audit.record(entry),
    };
  }
}

/** As a person types it: case does not count, O is 0, I and L are 1. */
function normalise(id: string): string {
  return id.trim().toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");
}
