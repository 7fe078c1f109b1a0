import { expect, it } from "vitest";
import { LuminaGuardError, errorCodes, isLuminaGuardError, messageOf } from "../../src/errors.ts";

it("the error codes are these", () => {
  expect(Object.keys(errorCodes)).toEqual([
    "USAGE",
    "CONFIG_INVALID",
    "CANCELLED",
    "TIMEOUT",
    "PROCESS_FAILED",
    "TOOL_MISSING",
    "HYPERVISOR_UNAVAILABLE",
    "HYPERVISOR_REFUSED",
    "SPEC_REFUSED",
    "VM_BOOT_FAILED",
    "MACHINE_NOT_FOUND",
    "MACHINE_EXISTS",
    "VM_GONE",
    "VM_MOVED",
    "VM_STATE",
    "TEMPLATE_INVALID",
    "SNAPSHOT_NOT_FOUND",
    "SNAPSHOT_INVALID",
    "SNAPSHOT_MISMATCH",
    "MIGRATION_FAILED",
    "MIGRATION_IN_DOUBT",
    "PEER_UNTRUSTED",
    "WIRE_BROKEN",
    "WIRE_RESET",
    "WIRE_LIMIT",
    "GUEST_REFUSED",
    "EXEC_NOT_FOUND",
    "EXEC_NOT_EXECUTABLE",
    "IMAGE_NOT_FOUND",
    "IMAGE_INVALID",
    "IMAGE_BUILD_FAILED",
    "IMAGE_PULL_FAILED",
    "WORKSPACE_REFUSED",
    "WORKSPACE_TOO_LARGE",
    "CHANGES_HOSTILE",
    "CHANGES_NOT_FOUND",
    "CHANGES_CONFLICT",
    "APPLY_FAILED",
    "ENVELOPE_INVALID",
    "APPROVAL_NOT_FOUND",
    "APPROVAL_DECIDED",
    "APPROVAL_VOID",
    "APPROVAL_DENIED",
    "GRANT_REFUSED",
    "POLICY_INVALID",
    "STORE_FAILED",
    "AUDIT_BROKEN",
    "MCP_TRANSIENT",
    "MCP_RATE_LIMITED",
    "MCP_AUTH_REQUIRED",
    "MCP_FORBIDDEN",
    "MCP_PROTOCOL",
    "MCP_TOOL_ERROR",
    "MCP_TLS",
    "MCP_DNS",
    "MCP_UNAVAILABLE",
    "MCP_OUTCOME_UNKNOWN",
    "FROZEN",
    "HOST_LIMIT",
  ]);
});

it("an error keeps its code, hint, details and cause, and nobody changes them", () => {
  const cause = new Error("why");
  const details = { path: "/x" };
  const error = new LuminaGuardError("HOST_LIMIT", "no room", {
    hint: "make room",
    details,
    cause,
  });
  details.path = "/y";
  expect(error).toMatchObject({
    name: "LuminaGuardError",
    code: "HOST_LIMIT",
    message: "no room",
    hint: "make room",
    details: { path: "/x" },
    cause,
  });
  expect(Object.isFrozen(error.details)).toBe(true);
  expect("cause" in new LuminaGuardError("USAGE", "what?")).toBe(false);
});

it("an error is known by its code, and anything thrown has a message", () => {
  const error = new LuminaGuardError("USAGE", "what?");
  expect(isLuminaGuardError(error)).toBe(true);
  expect(isLuminaGuardError(error, "USAGE")).toBe(true);
  expect(isLuminaGuardError(error, "TIMEOUT")).toBe(false);
  expect(isLuminaGuardError(new Error("what?"))).toBe(false);
  expect([messageOf(error), messageOf("text"), messageOf(undefined)]).toEqual([
    "what?",
    "text",
    "undefined",
  ]);
});
