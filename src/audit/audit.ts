/**
 * The append-only record of what was asked, decided, executed and started. Records are written inside
 * the store's transactions: what happened and its record are durable together or not at all.
 */
import { randomBytes } from "node:crypto";
import canonicalize from "canonicalize";
import type { AuditRow } from "../store/audit-table.ts";
import type { Store } from "../store/store.ts";
import type { AuditEntry } from "./audit-entry.ts";
import {
  blockStart,
  chainStart,
  checkpointText,
  endsBlock,
  hashRecord,
  isSignedKind,
  recordText,
} from "./chain.ts";
import type { LocalKey } from "./local-key.ts";
import { redactFacts } from "./redact.ts";
import { TrustedTail } from "./trusted-tail.ts";

export interface AuditOptions {
  /** Called after each record, before it is durable. */
  readonly onRecord?: () => void;
}

export class Audit {
  readonly #store: Store;
  readonly #key: LocalKey;
  readonly #tail: TrustedTail;
  readonly #onRecord: () => void;
  /** something in this transaction is to be signed for */
  #isSignatureDue = false;

  private constructor(store: Store, key: LocalKey, { onRecord }: AuditOptions) {
    this.#store = store;
    this.#key = key;
    this.#tail = new TrustedTail(store.audit, key);
    this.#onRecord = onRecord ?? ((): void => undefined);
    store.beforeCommit(() => this.#seal());
  }

  /** Begins the chain where there is none. Raises what a commit raises. */
  static async open(store: Store, key: LocalKey, options: AuditOptions = {}): Promise<Audit> {
    const audit = new Audit(store, key, options);
    if (audit.#isKeyNew()) await store.commit(() => audit.#introduceKey());
    return audit;
  }

  /** Adds a record, inside a commit. Values of variables and headers are kept by name only. */
  record({ kind, subject, facts }: AuditEntry): void {
    const before = this.#store.audit.last();
    const row: Omit<AuditRow, "hash"> = {
      seq: before === undefined ? 0 : before.seq + 1,
      at: this.#store.now(),
      // half a character cannot be stored, so it cannot be hashed
      kind: kind.toWellFormed(),
      subject: subject?.toWellFormed() ?? null,
      facts: toCanonicalJson(redactFacts(facts)),
    };
    const hash = hashRecord(before?.hash ?? chainStart, recordText(row));
    this.#store.audit.append({ ...row, hash });
    this.#isSignatureDue ||= isSignedKind(kind);
    this.#onRecord();
    if (endsBlock(row.seq)) this.#sign(row.seq, hash);
  }

  /** A chain with records and no checkpoint at all was tampered with: it gets none from us. */
  #isKeyNew(): boolean {
    const { audit } = this.#store;
    const checkpoint = audit.lastCheckpoint();
    if (checkpoint === undefined) return audit.last() === undefined;
    return checkpoint.key !== this.#key.id;
  }

  /** The public key is in the chain itself, so that an export can be verified by anybody. */
  #introduceKey(): void {
    if (!this.#isKeyNew()) return; // another process was first while this one waited
    const { id, publicKey } = this.#key;
    const isFirst = this.#store.audit.last() === undefined;
    const facts = isFirst
      ? { version: 1, key: id, publicKey, nonce: randomBytes(16).toString("hex") }
      : { key: id, publicKey };
    this.record({ kind: isFirst ? "genesis" : "key-changed", subject: null, facts });
  }

  #seal(): void {
    if (!this.#isSignatureDue) return;
    this.#isSignatureDue = false;
    const last = this.#store.audit.last();
    if (last !== undefined) this.#sign(last.seq, last.hash);
  }

  #sign(seq: number, hash: Uint8Array): void {
    if (!this.#tail.isUnbroken()) return; // `verify` finds that it was not signed
    const key = this.#key.id;
    const signature = Buffer.from(this.#key.sign(checkpointText(seq, hash, key)), "base64");
    this.#store.audit.putCheckpoint({ seq, hash, key, signature }, blockStart(seq));
  }
}

function toCanonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("not a JSON value");
  return text;
}
