/**
 * A response stream that ends before its answer. The SDK leaves such a call hanging until its time is
 * up; here the missing answer is put in as an error, so that the call ends at once.
 */
import type { ProtocolError } from "@modelcontextprotocol/client";
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/client";

/** outside the codes that JSON-RPC and MCP give a meaning to */
const lostAnswerCode = -1;
const mark = "luminaguard/lost-answer";

export function createLostAnswer(id: RequestId): JSONRPCMessage {
  const error = { code: lostAnswerCode, message: "the answer was lost", data: { [mark]: true } };
  return { jsonrpc: "2.0", id, error };
}

export function isLostAnswer(error: ProtocolError): boolean {
  const data: unknown = error.data;
  return error.code === lostAnswerCode && typeof data === "object" && data !== null && mark in data;
}
