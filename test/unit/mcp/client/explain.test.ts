import {
  InsufficientScopeError,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { expect, it } from "vitest";
import { createMcpError } from "../../../../src/mcp/client/delivery.ts";
import { explainError } from "../../../../src/mcp/client/explain.ts";

const status = (code: number): Error =>
  new SdkHttpError(SdkErrorCode.ClientHttpFailedToOpenStream, "no", { status: code });
const sdk = (code: SdkErrorCode): Error => new SdkError(code, "no");
const lost = { "luminaguard/lost-answer": true };

const rows: readonly (readonly [string, unknown, string, string])[] = [
  ["a login that is wanted", new UnauthorizedError(), "MCP_AUTH_REQUIRED", "never"],
  ["a scope", new InsufficientScopeError({ requiredScope: "a" }), "MCP_FORBIDDEN", "never"],
  ["HTTP 401", status(401), "MCP_AUTH_REQUIRED", "never"],
  ["HTTP 403", status(403), "MCP_FORBIDDEN", "never"],
  ["HTTP 404", status(404), "MCP_PROTOCOL", "answered"],
  ["an error of the protocol", new ProtocolError(-32602, "no"), "MCP_PROTOCOL", "answered"],
  ["an answer that is lost", new ProtocolError(-1, "no", lost), "MCP_TRANSIENT", "maybe"],
  ["a timeout", sdk(SdkErrorCode.RequestTimeout), "TIMEOUT", "maybe"],
  ["a connection that closed", sdk(SdkErrorCode.ConnectionClosed), "MCP_TRANSIENT", "maybe"],
  ["no connection", sdk(SdkErrorCode.NotConnected), "MCP_TRANSIENT", "never"],
  ["no connection, in words", new Error("Not connected"), "MCP_TRANSIENT", "never"],
  ["a result of no known form", sdk(SdkErrorCode.InvalidResult), "MCP_PROTOCOL", "answered"],
  ["a type of result", sdk(SdkErrorCode.UnsupportedResultType), "MCP_PROTOCOL", "maybe"],
  ["a caller who left", new DOMException("gone", "AbortError"), "CANCELLED", "maybe"],
  ["anything else", new Error("odd"), "MCP_PROTOCOL", "maybe"],
  ["what is no error", "odd", "MCP_PROTOCOL", "maybe"],
];

it.each(rows)("%s is told in our words", (_name, error, code, delivery) => {
  const told = explainError(error, "http://a/mcp");
  expect(told).toMatchObject({
    code,
    cause: error,
    details: { delivery, endpoint: "http://a/mcp" },
  });
  expect(told.message).toContain("http://a/mcp");
});

it("what we raised ourselves is told as it is, however deep the SDK put it", () => {
  const own = createMcpError("MCP_DNS", "no such name", { delivery: "never" });
  const wrapped = new Error("fetch failed", { cause: new Error("worse", { cause: own }) });
  expect(explainError(wrapped, "a")).toBe(own);
  expect(
    explainError(new SdkError(SdkErrorCode.EraNegotiationFailed, "no", { cause: own }), "a"),
  ).toBe(own);
});

it("a chain of causes that goes round is left", () => {
  const round = new Error("round");
  round.cause = round;
  expect(explainError(round, "a")).toMatchObject({ code: "MCP_PROTOCOL" });
});
