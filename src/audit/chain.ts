/**
 * How records are chained and signed. Each record's hash covers the hash before it and the record's
 * canonical JSON, so that one hash stands for all that came before; a checkpoint signs one.
 *
 *   hash₀ = H(0³² · record₀)   hash₁ = H(hash₀ · record₁)   …   checkpoint = sign({seq, hash, key})
 */
import { createHash } from "node:crypto";
import type { AuditRow } from "../store/audit-table.ts";

/** what stands before the first record */
export const chainStart: Uint8Array = new Uint8Array(32);

/** Each block of so many records ends in a signed checkpoint; the newest block has one within it. */
export const blockLength = 256;

/** These are signed for with the commit that holds them. */
const signedKinds = /^(genesis|key-changed|decision|grant-.*)$/;

export function isSignedKind(kind: string): boolean {
  return signedKinds.test(kind);
}

export function endsBlock(seq: number): boolean {
  return seq % blockLength === blockLength - 1;
}

export function blockStart(seq: number): number {
  return seq - (seq % blockLength);
}

/** The record's canonical JSON (RFC 8785); its facts are that already. */
export function recordText({ seq, at, kind, subject, facts }: Omit<AuditRow, "hash">): string {
  const time = new Date(at).toISOString();
  return `{"at":"${time}","facts":${facts},"kind":${JSON.stringify(kind)},"seq":${seq},"subject":${JSON.stringify(subject)}}`;
}

export function hashRecord(before: Uint8Array, text: string): Uint8Array {
  return createHash("sha256")
    .update("luminaguard audit record v1\n")
    .update(before)
    .update(text, "utf8")
    .digest();
}

/** What is signed for a checkpoint. */
export function checkpointText(seq: number, hash: Uint8Array, key: string): string {
  const hex = Buffer.from(hash).toString("hex");
  return `luminaguard audit checkpoint v1\n{"hash":"${hex}","key":${JSON.stringify(key)},"seq":${seq}}`;
}
