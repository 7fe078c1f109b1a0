/**
 * MCP messages on a stream of bytes: one JSON-RPC message a line, UTF-8, no line end inside
 * (specification 2026-07-28 and all before it, basic/transports, stdio). The sender is hostile: what is
 * no message is reported and skipped, what breaks a bound ends the stream.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { escapeText } from "../../base/escape-text.ts";
import { LineSplitter } from "../../base/line-splitter.ts";
import { LuminaGuardError } from "../../errors.ts";
import { isDeeperThan } from "./json-depth.ts";

/** largest message accepted unless said, in `bytes` */
export const defaultMessageBytesMax: number = 10 * 1024 * 1024;
/** deepest nesting accepted: what walks a message recursively has a stack to mind */
export const messageDepthMax = 512;
/** how much of a bad line an error shows, in `characters` */
const shownMax = 120;
/** what a call is told whose answer is no answer; the code is JSON-RPC's "internal error" */
const badAnswer = { code: -32603, message: "the server's answer is not JSON-RPC 2.0" };

export interface MessageReaderOptions {
  /** @default 10 MiB */
  readonly messageBytesMax?: number | undefined;
  readonly onMessage: (message: JSONRPCMessage) => void;
  /** MCP_PROTOCOL for a line that is no message; reading goes on */
  readonly onGarbage: (error: LuminaGuardError) => void;
}

/** Raises MCP_PROTOCOL from `push` when a message is too large or too deep; no more may be pushed then. */
export class MessageReader {
  readonly #options: MessageReaderOptions;
  readonly #lines: LineSplitter;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
    const lineBytesMax = options.messageBytesMax ?? defaultMessageBytesMax;
    this.#lines = new LineSplitter({
      lineBytesMax,
      onLine: (line) => this.#readLine(line),
      onTooLong: (line) => {
        throw garbage(`sent a message of more than ${lineBytesMax} bytes`, line);
      },
    });
  }

  push(chunk: Buffer): void {
    this.#lines.push(chunk);
  }

  #readLine(line: Buffer): void {
    if (isDeeperThan(line, messageDepthMax)) {
      throw garbage(`sent a message nested more than ${messageDepthMax} deep`, line);
    }
    const { onMessage, onGarbage } = this.#options;
    const value = parseJson(line);
    if (isMessage(value)) {
      onMessage(value);
      return;
    }
    if (isBlank(line)) return;
    onGarbage(garbage("sent a line that is no JSON-RPC message", line));
    // an answer, though a bad one: the call that waits for it must not wait for its deadline
    if (isObject(value) && isId(value["id"]) && value["method"] === undefined) {
      onMessage({ jsonrpc: "2.0", id: value["id"], error: badAnswer });
    }
  }
}

export function frameMessage(message: JSONRPCMessage): string {
  return `${JSON.stringify(message)}\n`;
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8"));
  } catch {
    return undefined; // not JSON
  }
}

/** The form of JSON-RPC 2.0; what a method's parameters and results hold is the SDK's to check. */
export function isMessage(value: unknown): value is JSONRPCMessage {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") return false;
  const { id, method, result, error } = value;
  if (typeof method === "string") return id === undefined || isId(id);
  if (error === undefined) return isId(id) && isObject(result);
  const isError = isObject(error) && Number.isSafeInteger(error["code"]);
  return isError && typeof error["message"] === "string" && (id === undefined || isId(id));
}

function isId(value: unknown): value is string | number {
  return typeof value === "string" || Number.isSafeInteger(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isBlank(line: Buffer): boolean {
  return line.length < 64 && line.toString("latin1").trim() === "";
}

function garbage(what: string, line: Buffer): LuminaGuardError {
  const shown = escapeText(line.subarray(0, shownMax).toString("utf8"));
  return new LuminaGuardError("MCP_PROTOCOL", `the MCP server ${what}: ${shown}`, {
    hint: "a server writes messages to stdout and all else to stderr; tell its authors",
  });
}
