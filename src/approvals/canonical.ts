/** One spelling for each value (RFC 8785), so that a digest names exactly one envelope. */
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { ActionEnvelope } from "./envelope.ts";

/** Canonical JSON. Throws a TypeError for what JSON cannot say. */
export function toCanonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("not a JSON value");
  return text;
}

/** SHA-256 of the envelope's canonical JSON in UTF-8, in lower-case hexadecimal. */
export function digestOf(envelope: ActionEnvelope): string {
  return createHash("sha256").update(toCanonicalJson(envelope), "utf8").digest("hex");
}
