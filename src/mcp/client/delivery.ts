/**
 * What is known of a call that failed: whether the server can have carried it out. On this rests
 * whether it may be sent again.
 */
import { LuminaGuardError } from "../../errors.ts";
import type { ErrorCode } from "../../errors.ts";

/**
 * `never` the server provably did not begin it · `maybe` it was sent and no usable answer came ·
 * `answered` the server answered it with an error of its own
 */
export type Delivery = "never" | "maybe" | "answered";

export interface FailureFacts {
  readonly delivery: Delivery;
  /** HTTP status, where there was one */
  readonly status?: number;
  /** how long the server asks to be left alone, in ms */
  readonly retryAfterMs?: number;
  /** which limit passed, of a TIMEOUT */
  readonly phase?: "connect" | "tls" | "first-byte" | "idle" | "total";
  /** which endpoint failed, without credentials or query */
  readonly endpoint?: string;
}

export interface McpErrorOptions extends FailureFacts {
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error of a call, with the facts of its delivery as `details`. */
export function createMcpError(
  code: ErrorCode,
  message: string,
  options: McpErrorOptions,
): LuminaGuardError {
  const { hint, cause, ...facts } = options;
  return new LuminaGuardError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    details: facts,
    cause,
  });
}

/** The facts that `createMcpError` put on an error; one that it did not make is `maybe`. */
export function factsOf(error: LuminaGuardError): FailureFacts {
  const facts: Partial<FailureFacts> = error.details;
  return { ...facts, delivery: facts.delivery ?? "maybe" };
}

/** An endpoint's name for people and logs: neither user, password, query nor fragment. */
export function nameOfUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
