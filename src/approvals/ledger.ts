/**
 * Where approvals are kept, as the cliff needs it. A commit is all or nothing, durable when its promise
 * resolves, and holds the audit records of what it changed: neither can be there without the other.
 */
import type { Approval, ApprovalChange, ApprovalState } from "./approval.ts";
import type { Grant } from "./grant.ts";
import type { JsonObject } from "./json.ts";

/** One line of the audit before it is chained. */
export interface AuditEntry {
  /** `envelope`, `decision`, `execution-started`, `machine-started`, … */
  readonly kind: string;
  /** id of what it is about, or null */
  readonly subject: string | null;
  readonly facts: JsonObject;
}

export interface LedgerTransaction {
  readonly insert: (approval: Approval) => void;
  readonly get: (id: string) => Approval | undefined;
  /** Compare-and-swap: false, and nothing changed, when the state is not `from`. */
  readonly move: (
    id: string,
    from: ApprovalState,
    to: ApprovalState,
    change: ApprovalChange,
  ) => boolean;
  readonly addGrant: (grant: Grant) => void;
  /** One use less: false when none is left, it expired, or it was revoked. */
  readonly useGrant: (id: string) => boolean;
  readonly revokeGrant: (id: string) => boolean;
  readonly record: (entry: AuditEntry) => void;
  /** the ledger's time, which never goes back, in `ms` since 1970 */
  readonly now: number;
}

export interface ApprovalFilter {
  readonly states?: readonly ApprovalState[];
  readonly run?: string;
  /** newest first, this many
   * @default 1000 */
  readonly limit?: number;
}

/** A face that could show a card now, in this process or another of the same user. */
export interface RegisteredFace {
  readonly name: string;
  /** the process it runs in */
  readonly owner: string;
}

export interface LedgerChange {
  /** another process made it */
  readonly isForeign: boolean;
}

export interface Ledger {
  /** Commits asked for at once share one flush to disk. What `work` throws undoes that work alone. */
  readonly commit: <T>(work: (transaction: LedgerTransaction) => T) => Promise<T>;
  /** Time that never goes back, neither in this process nor from one start to the next, in `ms`. */
  readonly now: () => number;
  readonly get: (id: string) => Approval | undefined;
  /** By whole id, or the newest by short id. */
  readonly find: (id: string) => Approval | undefined;
  readonly list: (filter?: ApprovalFilter) => readonly Approval[];
  /** Ids of those that are pending, oldest first: cheap, for whoever watches many. */
  readonly pendingIds: () => readonly string[];
  readonly count: (filter?: Pick<ApprovalFilter, "states" | "run">) => number;
  /** Cards that a person was asked about in the run. */
  readonly countPrompts: (run: string) => number;
  /** Those with uses left whose time has not passed. */
  readonly grants: () => readonly Grant[];
  readonly registerFace: (face: RegisteredFace) => Disposable;
  /** Those whose process is alive. */
  readonly faces: () => readonly RegisteredFace[];
  /** Called after any commit: at once in this process, at the latest 100 ms later for another's. */
  readonly onChange: (listener: (change: LedgerChange) => void) => Disposable;
}
