/**
 * Follows a chain record by record, each checkpoint after the record it signs, and stops at the first
 * that is not what was written. Needs the memory of one record, however many there are.
 */
import type { AuditRow, CheckpointRow } from "../store/audit-table.ts";
import type { ChainHead } from "./audit-entry.ts";
import { broken } from "./broken.ts";
import {
  blockStart,
  chainStart,
  checkpointText,
  hashRecord,
  isSignedKind,
  recordText,
} from "./chain.ts";
import { parsePublicKey } from "./local-key.ts";
import type { VerifyingKey } from "./local-key.ts";

export interface Expected {
  /** hash of the newest record when somebody wrote it down, in hexadecimal */
  readonly head?: string | undefined;
  /** the head that was kept in another folder */
  readonly keptHead?: (ChainHead & { readonly genesis: string }) | undefined;
}

export interface VerifiedChain {
  readonly records: number;
  /** null: there is no record */
  readonly head: ChainHead | null;
  readonly checkpoints: number;
  /** newest record that a signature covers; -1 for none */
  readonly signedThrough: number;
  /** ids of the keys that signed, in order; more than one: the key was changed */
  readonly keys: readonly string[];
}

export class ChainVerifier {
  readonly #expected: Expected;
  readonly #keys: VerifyingKey[] = [];
  #next = 0;
  #hash: Uint8Array = chainStart;
  #checkpoints = 0;
  #signedThrough = -1;
  /** newest record that was signed for when it was written */
  #owed = -1;
  #foundHead = false;

  constructor(expected: Expected = {}) {
    this.#expected = expected;
  }

  /** number of the record that is expected next */
  get next(): number {
    return this.#next;
  }

  /** Raises AUDIT_BROKEN. */
  record(row: AuditRow): void {
    const seq = this.#next;
    if (row.seq !== seq) throw broken(seq, describeGap(seq, row.seq));
    if (seq === blockStart(seq) && this.#signedThrough !== seq - 1) {
      throw broken(this.#signedThrough + 1, `the checkpoint that signed record ${seq - 1} is gone`);
    }
    const hash = hashRecord(this.#hash, textOf(row));
    if (!isEqual(hash, row.hash)) {
      throw broken(seq, "it is not what was written after the record before it");
    }
    this.#hash = hash;
    this.#next += 1;
    if (isSignedKind(row.kind)) this.#owed = seq;
    if (seq === 0 || row.kind === "key-changed") this.#takeKey(row);
    this.#compareHeads(seq, hash);
  }

  /** Raises AUDIT_BROKEN. */
  checkpoint({ seq, hash, key, signature }: CheckpointRow): void {
    const last = this.#next - 1;
    if (seq > last) throw this.#missing(`a signed checkpoint names record ${seq}`);
    if (seq < last) throw broken(seq, "its checkpoint is out of order");
    if (!isEqual(hash, this.#hash)) {
      throw broken(seq, "its checkpoint was signed for another record");
    }
    const known = this.#keys.at(-1);
    const text = checkpointText(seq, hash, key);
    const isSigned = known?.verify(text, Buffer.from(signature).toString("base64")) === true;
    if (known?.id !== key || !isSigned) {
      throw broken(seq, "its checkpoint was not signed with the audit's key");
    }
    this.#checkpoints += 1;
    this.#signedThrough = seq;
  }

  /** Whether all is there. Raises AUDIT_BROKEN. */
  end(): VerifiedChain {
    const { head, keptHead } = this.#expected;
    if (keptHead !== undefined && keptHead.seq >= this.#next) {
      throw this.#missing(`the head kept apart from it names record ${keptHead.seq}`);
    }
    if (head !== undefined && !this.#foundHead) {
      throw broken(
        this.#next,
        "no record has the head that was given: it was set back or replaced",
      );
    }
    if (this.#owed > this.#signedThrough) {
      throw broken(this.#owed, "it was signed for when it was written, and the checkpoint is gone");
    }
    return {
      records: this.#next,
      head: this.#next === 0 ? null : { seq: this.#next - 1, hash: toHex(this.#hash) },
      checkpoints: this.#checkpoints,
      signedThrough: this.#signedThrough,
      keys: this.#keys.map(({ id }) => id),
    };
  }

  #missing(why: string): Error {
    return broken(this.#next, `it and what came after it are missing: ${why}`);
  }

  /** The public key stands in the chain; its id is its hash, so that neither can be exchanged alone. */
  #takeKey({ seq, kind, facts }: AuditRow): void {
    if (seq === 0 && kind !== "genesis")
      throw broken(0, "the first record does not begin an audit");
    const { key, publicKey } = readFacts(seq, facts);
    const parsed = typeof publicKey === "string" ? parsePublicKey(publicKey) : undefined;
    if (parsed === undefined || parsed.id !== key) throw broken(seq, "it names no signing key");
    this.#keys.push(parsed);
  }

  #compareHeads(seq: number, hash: Uint8Array): void {
    const { head, keptHead } = this.#expected;
    const hex = toHex(hash);
    this.#foundHead ||= hex === head;
    const isOther = seq === 0 && keptHead !== undefined && keptHead.genesis !== hex;
    if (isOther)
      throw broken(0, "another audit stands in the place of the one whose head was kept");
    if (seq === keptHead?.seq && keptHead.hash !== hex) {
      throw broken(seq, "it is not the record whose hash was kept apart from the audit");
    }
  }
}

function describeGap(expected: number, found: number): string {
  if (found < expected) return `record ${found} stands in its place`;
  return found === expected + 1
    ? "it is missing"
    : `it and those up to record ${found - 1} are missing`;
}

function textOf(row: AuditRow): string {
  try {
    return recordText(row);
  } catch (cause) {
    throw broken(row.seq, "it holds a time that is none", cause);
  }
}

function readFacts(seq: number, facts: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(facts);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw broken(seq, "it is not JSON", cause);
  }
  throw broken(seq, "it names no signing key");
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
