/** Names a JSON value exactly, however it is laid out. */
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";

/**
 * SHA-256 over the canonical JSON (RFC 8785), in hexadecimal. Undefined for what has none: text that is
 * no Unicode, values nested deeper than can be written.
 */
export function digestJson(value: unknown): string | undefined {
  try {
    const text = canonicalize(value);
    return text === undefined ? undefined : createHash("sha256").update(text).digest("hex");
  } catch {
    return undefined;
  }
}
