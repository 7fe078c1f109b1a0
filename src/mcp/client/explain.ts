/** What the SDK raised, in LuminaGuard's words: one code to switch on, the endpoint, and its delivery. */
import {
  InsufficientScopeError,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { LuminaGuardError, messageOf } from "../../errors.ts";
import { createMcpError } from "./delivery.ts";
import { isLostAnswer } from "./http/lost-answer.ts";

/** how deep the cause of an error is looked for */
const depthMax = 5;

/**
 * The error of a call at `endpoint`. One that LuminaGuard raised itself, however deep the SDK wrapped
 * it, is given back as it is.
 */
export function explainError(error: unknown, endpoint: string): LuminaGuardError {
  const own = findOwn(error);
  if (own !== undefined) return own;
  if (error instanceof UnauthorizedError) return needsLogin(error, endpoint);
  if (error instanceof InsufficientScopeError) return isForbidden(error, endpoint);
  if (error instanceof SdkHttpError) return explainStatus(error, endpoint);
  if (error instanceof ProtocolError) return explainProtocol(error, endpoint);
  if (error instanceof SdkError) return explainSdk(error, endpoint);
  if (isAbort(error)) {
    const message = `${endpoint}: the call was cancelled`;
    return createMcpError("CANCELLED", message, { delivery: "maybe", endpoint, cause: error });
  }
  const isUnsent = messageOf(error) === "Not connected";
  const message = `${endpoint}: ${messageOf(error)}`;
  return createMcpError(isUnsent ? "MCP_TRANSIENT" : "MCP_PROTOCOL", message, {
    delivery: isUnsent ? "never" : "maybe",
    endpoint,
    cause: error,
  });
}

function findOwn(error: unknown): LuminaGuardError | undefined {
  for (let each = error, depth = 0; depth < depthMax; depth += 1) {
    if (each instanceof LuminaGuardError) return each;
    if (!(each instanceof Error)) return undefined;
    each = each.cause ?? (each as { data?: { cause?: unknown } }).data?.cause;
  }
  return undefined;
}

function needsLogin(cause: Error, endpoint: string): LuminaGuardError {
  return createMcpError("MCP_AUTH_REQUIRED", `${endpoint} wants a login (HTTP 401)`, {
    delivery: "never",
    status: 401,
    endpoint,
    hint: "luminaguard mcp login SERVER",
    cause,
  });
}

function isForbidden(cause: Error, endpoint: string): LuminaGuardError {
  return createMcpError("MCP_FORBIDDEN", `${endpoint} says no (HTTP 403)`, {
    delivery: "never",
    status: 403,
    endpoint,
    hint: "log in with an account, or for scopes, that may do this",
    cause,
  });
}

function explainStatus(error: SdkHttpError, endpoint: string): LuminaGuardError {
  const { status } = error.data;
  if (status === 401) return needsLogin(error, endpoint);
  if (status === 403) return isForbidden(error, endpoint);
  const message = `${endpoint}: the server refused the request (HTTP ${String(status)})`;
  const facts = { delivery: "answered", status, endpoint, cause: error } as const;
  return createMcpError("MCP_PROTOCOL", message, facts);
}

function explainProtocol(error: ProtocolError, endpoint: string): LuminaGuardError {
  if (isLostAnswer(error)) {
    const message = `${endpoint}: the answer's stream ended before the answer`;
    return createMcpError("MCP_TRANSIENT", message, { delivery: "maybe", endpoint, cause: error });
  }
  const message = `${endpoint}: ${error.message} (${String(error.code)})`;
  return createMcpError("MCP_PROTOCOL", message, { delivery: "answered", endpoint, cause: error });
}

function explainSdk(error: SdkError, endpoint: string): LuminaGuardError {
  const facts = { endpoint, cause: error };
  switch (error.code) {
    case SdkErrorCode.RequestTimeout:
      return createMcpError("TIMEOUT", `${endpoint}: no answer within the call's time`, {
        ...facts,
        delivery: "maybe",
        phase: "total",
      });
    case SdkErrorCode.ConnectionClosed:
      return createMcpError("MCP_TRANSIENT", `${endpoint}: the connection closed`, {
        ...facts,
        delivery: "maybe",
      });
    case SdkErrorCode.NotConnected:
      return createMcpError("MCP_TRANSIENT", `${endpoint}: not connected`, {
        ...facts,
        delivery: "never",
      });
    default:
      return createMcpError("MCP_PROTOCOL", `${endpoint}: ${error.message}`, {
        ...facts,
        delivery: error.code === SdkErrorCode.InvalidResult ? "answered" : "maybe",
      });
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
