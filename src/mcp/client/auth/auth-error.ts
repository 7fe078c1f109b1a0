/**
 * What went wrong while authorising, as an error a person can act on. Nothing an authorization server
 * wrote is repeated beyond its error code: it has seen every secret there is.
 */
import {
  AuthorizationServerMismatchError,
  InsecureTokenEndpointError,
  IssuerMismatchError,
  OAuthError,
  RegistrationRejectedError,
} from "@modelcontextprotocol/client";
import { LuminaGuardError } from "../../../errors.ts";
import type { ErrorCode, LuminaGuardErrorOptions } from "../../../errors.ts";
import { toTlsError } from "../tls/tls-error.ts";

/** the SDK's mark of an error that means "log in": its search for the server's era lets it pass as it is */
const authSeam = Symbol.for("mcp.authSeamEscape");

/** An error of authorising; `delivery` says that the call itself was not carried out. */
export function createAuthError(
  code: ErrorCode,
  message: string,
  { details, ...options }: LuminaGuardErrorOptions,
): LuminaGuardError {
  const error = new LuminaGuardError(code, message, {
    ...options,
    details: { delivery: "never", ...details },
  });
  return Object.defineProperty(error, authSeam, { value: true });
}

/** MCP_AUTH_REQUIRED: a person has to log in. */
export function createLoginRequired(
  serverName: string,
  why: string,
  details: Readonly<Record<string, unknown>> = {},
): LuminaGuardError {
  return createAuthError("MCP_AUTH_REQUIRED", `${serverName}: ${why}`, {
    hint: `luminaguard mcp login ${serverName}`,
    details,
  });
}

/** What the SDK's `auth()` raised. Errors of ours stay what they are. */
export function toAuthError(error: unknown, serverName: string): LuminaGuardError {
  if (error instanceof LuminaGuardError) return error;
  if (error instanceof OAuthError) return fromOAuth(error, serverName);
  if (
    error instanceof IssuerMismatchError ||
    error instanceof AuthorizationServerMismatchError ||
    error instanceof InsecureTokenEndpointError
  ) {
    return createAuthError("MCP_PROTOCOL", `${serverName}: ${mismatchOf(error)}`, {
      hint: `nothing was sent; if the server moved: luminaguard mcp logout ${serverName}, then login`,
      details: { reason: error.name },
    });
  }
  if (error instanceof RegistrationRejectedError) {
    const message = `${serverName}: its authorization server registers no client (HTTP ${error.status})`;
    return createAuthError("MCP_AUTH_REQUIRED", message, {
      hint: "ask its operator for a client id, and set it as clientId",
      details: { status: error.status },
    });
  }
  return (
    toTlsError(error, `${serverName}'s authorization server`) ?? fromUnknown(error, serverName)
  );
}

function mismatchOf(error: Error): string {
  if (error instanceof InsecureTokenEndpointError) return "its token endpoint is not https";
  return "another authorization server answers than the one that was expected";
}

function fromOAuth(error: OAuthError, serverName: string): LuminaGuardError {
  const reason = /^[a-z_]{1,64}$/.test(error.code) ? error.code : "unknown";
  if (reason === "server_error" || reason === "temporarily_unavailable") {
    return createUnavailable(serverName, reason);
  }
  return createLoginRequired(serverName, `its authorization server says no (${reason})`, {
    reason,
  });
}

/** MCP_TRANSIENT: the authorization server does not answer just now. */
export function createUnavailable(serverName: string, reason: string): LuminaGuardError {
  const message = `${serverName}: its authorization server cannot be reached (${reason})`;
  return createAuthError("MCP_TRANSIENT", message, {
    hint: "it may pass: try again",
    details: { reason },
  });
}

function fromUnknown(error: unknown, serverName: string): LuminaGuardError {
  const isFetchFailure = error instanceof TypeError && error.message === "fetch failed";
  if (isFetchFailure) return createUnavailable(serverName, codeOf(error));
  return createAuthError("MCP_PROTOCOL", `${serverName}: authorisation failed`, {
    hint: "the server's OAuth metadata or its authorization server's answer cannot be used",
    details: { reason: errorNameOf(error) },
  });
}

function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code ?? errorNameOf(error);
}

function errorNameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : "unknown";
}
