/**
 * The headers that the SDK gives a call of a tool, remembered: they are the same for every call of that
 * tool on a connection, and making them costs more than sending them.
 */
import { PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/client";
import type { JSONRPCRequest } from "@modelcontextprotocol/client";

export type HeaderPairs = [name: string, value: string][];

/** tools whose headers are remembered; beyond it all are learned anew */
const toolsMax = 500;

export class LearnedHeaders {
  readonly #byKey = new Map<string, HeaderPairs>();

  /**
   * What the headers are made of, so that the same key means the same headers. Undefined where they are
   * not only of the tool: `headers` are those of this one call.
   */
  keyOf(
    { method, params }: JSONRPCRequest,
    { headers, sessionId }: { readonly headers: unknown; readonly sessionId: string | undefined },
  ): string | undefined {
    if (method !== "tools/call" || headers !== undefined || sessionId !== undefined)
      return undefined;
    const name = params?.["name"];
    const version = params?._meta?.[PROTOCOL_VERSION_META_KEY];
    if (typeof name !== "string" || typeof version !== "string") return undefined;
    return `${version} ${name}`;
  }

  get(key: string): HeaderPairs | undefined {
    return this.#byKey.get(key);
  }

  learn(key: string, headers: Headers): void {
    if (this.#byKey.size >= toolsMax) this.#byKey.clear();
    this.#byKey.set(key, [...headers]);
  }
}
