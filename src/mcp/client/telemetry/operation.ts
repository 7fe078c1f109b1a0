/**
 * A call in the words of OpenTelemetry's conventions for MCP (semantic-conventions-genai,
 * docs/gen-ai/mcp.md), which metrics and traces share.
 */
import { ProtocolError } from "@modelcontextprotocol/client";
import type { LuminaGuardError } from "../../../errors.ts";
import type { Call, CallEnd } from "../call.ts";
import { isLostAnswer } from "../http/lost-answer.ts";

/** bounds that the conventions name for `mcp.client.operation.duration`, in seconds */
export const durationBounds: readonly number[] = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300,
];

/** the tool of a call, where it is one of a tool */
export function toolOf({ method, name }: Call<unknown>): string | undefined {
  return method === "tools/call" ? name : undefined;
}

/**
 * `error.type`: the code of a JSON-RPC error, `tool_error` for a tool that says it failed, otherwise
 * LuminaGuard's code; undefined for a call that went well.
 */
export function errorTypeOf({ error, result }: CallEnd): string | undefined {
  if (error !== undefined) return rpcCodeOf(error) ?? error.code;
  const isToolError = typeof result === "object" && result !== null && "isError" in result;
  return isToolError && result.isError === true ? "tool_error" : undefined;
}

/** how deep the cause of an error is looked for */
const depthMax = 5;

/** `rpc.response.status_code`; codes outside the range that JSON-RPC keeps are the server's whim, and left out. */
export function rpcCodeOf(error: LuminaGuardError): string | undefined {
  for (
    let each: unknown = error, depth = 0;
    each instanceof Error && depth < depthMax;
    depth += 1
  ) {
    if (each instanceof ProtocolError && !isLostAnswer(each)) {
      return each.code >= -32768 && each.code <= -32000 ? String(each.code) : undefined;
    }
    each = each.cause;
  }
  return undefined;
}

/** most names that are told apart */
const namesMax = 200;
/** longest name, in characters */
const nameMax = 128;

/** Names that others make up, such as tools', kept to so many that no store of metrics suffers. */
export class BoundedNames {
  readonly #known = new Set<string>();

  /** The name, or `other` once there are too many. */
  at(name: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= namesMax || name.length > nameMax) return "other";
    this.#known.add(name);
    return name;
  }
}
