/**
 * How far the chain is known to be unbroken, so that nothing is signed that was changed since the
 * last signature: a signature over a changed record would make it a good one.
 */
import type { AuditTable } from "../store/audit-table.ts";
import { checkpointText, hashRecord, recordText } from "./chain.ts";
import type { VerifyingKey } from "./local-key.ts";

interface Link {
  readonly seq: number;
  readonly hash: Uint8Array;
}

export class TrustedTail {
  readonly #audit: AuditTable;
  readonly #key: VerifyingKey;
  #last: Link | undefined;

  constructor(audit: AuditTable, key: VerifyingKey) {
    this.#audit = audit;
    this.#key = key;
  }

  /** Follows the chain to its end; false when it is broken since the last signature. */
  isUnbroken(): boolean {
    const start = this.#start();
    if (start === undefined) return false;
    let { seq, hash } = start;
    for (const row of this.#audit.after(seq)) {
      hash = hashRecord(hash, recordText(row));
      seq += 1;
      if (row.seq !== seq || Buffer.compare(hash, row.hash) !== 0) return false;
    }
    this.#last = { seq, hash };
    return true;
  }

  /** Where it was left; after a transaction that was undone, the last checkpoint. */
  #start(): Link | undefined {
    if (this.#last !== undefined && this.#has(this.#last)) return this.#last;
    const checkpoint = this.#audit.lastCheckpoint();
    if (checkpoint === undefined) return this.#beginning();
    const { seq, hash, key, signature } = checkpoint;
    const isOurs = this.#key.verify(
      checkpointText(seq, hash, key),
      Buffer.from(signature).toString("base64"),
    );
    // another key's was made before the key was changed: its record is all there is to compare
    const isSigned = isOurs || key !== this.#key.id;
    return isSigned && this.#has(checkpoint) ? { seq, hash } : undefined;
  }

  #has({ seq, hash }: Link): boolean {
    const row = this.#audit.get(seq);
    return row !== undefined && Buffer.compare(row.hash, hash) === 0;
  }

  /** Only the very first record needs no signature before it. */
  #beginning(): Link | undefined {
    const first = this.#audit.last();
    return first?.seq === 0 ? first : undefined;
  }
}
