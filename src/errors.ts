/**
 * Every way LuminaGuard can fail, and the one class that carries it. An error names what happened
 * (`message`), what the person can do next (`hint`) and what caused it (`cause`).
 */

/** Each code, with a line on when it is raised. Frozen by test/pins/error-codes.test.ts. */
export const errorCodes = {
  USAGE: "the command line or an option is not understood",
  CONFIG_INVALID: "a configuration file, environment variable or option has a bad value",
  CANCELLED: "the caller's signal was aborted",
  TIMEOUT: "a wait reached its deadline",
  PROCESS_FAILED: "a program that LuminaGuard needs did not start, or failed",
  TOOL_MISSING: "a program that LuminaGuard needs is not installed, or is too old",
  HYPERVISOR_UNAVAILABLE: "no hypervisor on this host booted the canary machine",
  HYPERVISOR_REFUSED: "a hypervisor refused what it was asked to do",
  SPEC_REFUSED: "the machine that was asked for is not one this hypervisor can run",
  VM_BOOT_FAILED: "a machine did not reach its first answered request",
  MACHINE_NOT_FOUND: "no machine of this user has that id",
  MACHINE_EXISTS: "another machine has that name",
  VM_GONE: "the machine ended while it was needed",
  VM_MOVED: "the machine went to another host",
  VM_STATE: "the machine cannot do this in the state it is in",
  TEMPLATE_INVALID: "a template's files are not what was published; it is rebuilt",
  SNAPSHOT_NOT_FOUND: "no snapshot has that id or name",
  SNAPSHOT_INVALID: "a snapshot's files are not what was saved",
  SNAPSHOT_MISMATCH: "a snapshot was made by another hypervisor, version, processor or image",
  MIGRATION_FAILED: "a machine could not be moved; it is where it was",
  MIGRATION_IN_DOUBT:
    "a move was cut off at its end: the machine stands still until a person decides",
  PEER_UNTRUSTED: "another host did not show the key or the code it was to have",
  WIRE_BROKEN: "the guest sent bytes that are not the protocol, or closed the wire",
  WIRE_RESET: "a save of the machine ended its connections; the machine goes on",
  WIRE_LIMIT: "the guest sent more than a bound allows",
  GUEST_REFUSED: "the guest agent answered a request with an error",
  EXEC_NOT_FOUND: "the command does not exist in the machine (exit 127)",
  EXEC_NOT_EXECUTABLE: "the command exists in the machine but cannot be executed (exit 126)",
  IMAGE_NOT_FOUND: "no image has that name",
  IMAGE_INVALID: "an image's files are not what was built",
  IMAGE_BUILD_FAILED: "an image could not be built",
  IMAGE_PULL_FAILED: "a registry did not give an image",
  WORKSPACE_REFUSED: "the folder may not be used as a workspace",
  WORKSPACE_TOO_LARGE: "the folder is larger than a workspace may be",
  CHANGES_HOSTILE: "what came out of the machine breaks the rules for a change set",
  CHANGES_NOT_FOUND: "no change set has that id",
  CHANGES_CONFLICT: "a host file changed meanwhile; nothing was applied",
  APPLY_FAILED: "a change set could not be applied; the workspace is as it was",
  ENVELOPE_INVALID: "what was asked for is not an envelope, or larger than one may be",
  APPROVAL_NOT_FOUND: "no approval has that id",
  APPROVAL_DECIDED: "the approval was decided already, expired, or was cancelled",
  APPROVAL_VOID: "an approval no longer stands: the policy or the tool changed, or its time passed",
  APPROVAL_DENIED: "policy or a person said no",
  GRANT_REFUSED: "a grant that wide is not given",
  POLICY_INVALID: "a policy file cannot be read as one, or allows what it may not",
  STORE_FAILED: "the store of decisions cannot be opened, read or written",
  AUDIT_BROKEN: "the audit is not what was written",
  MCP_TRANSIENT: "an MCP server failed in a way that passes; the call was not carried out",
  MCP_RATE_LIMITED: "an MCP server asks for fewer calls",
  MCP_AUTH_REQUIRED: "an MCP server wants a login, or no longer accepts the one it got",
  MCP_FORBIDDEN: "an MCP server knows the caller and says no",
  MCP_PROTOCOL: "an MCP server refused the request, or answered with what is not the protocol",
  MCP_TOOL_ERROR: "a tool ran and says that it failed",
  MCP_TLS: "no trusted TLS connection to an MCP server",
  MCP_DNS: "the name of an MCP server is not found",
  MCP_UNAVAILABLE: "no endpoint of an MCP server can be reached",
  MCP_OUTCOME_UNKNOWN:
    "an MCP call was sent, its answer was lost, and it may have been carried out",
  FROZEN: "the machine was stopped by a person and waits to be resumed or removed",
  HOST_LIMIT: "the host has no room: disk full, path too long, folder not writable",
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface LuminaGuardErrorOptions {
  /** what to do next, one line for a person */
  readonly hint?: string;
  /** facts for programs, never secrets */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class LuminaGuardError extends Error {
  override readonly name = "LuminaGuardError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: LuminaGuardErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = Object.freeze({ ...options.details });
  }
}

export function isLuminaGuardError(error: unknown, code?: ErrorCode): error is LuminaGuardError {
  return error instanceof LuminaGuardError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
