/**
 * The part of a WHATWG Response that the SDK's transports read, at a fraction of its cost.
 */
import type { IncomingHttpHeaders } from "node:http";
import { LuminaGuardError } from "../../../errors.ts";
import { createMcpError } from "../delivery.ts";

class LeanHeaders {
  readonly #headers: IncomingHttpHeaders;

  constructor(headers: IncomingHttpHeaders) {
    this.#headers = headers;
  }

  get(name: string): string | null {
    const value = this.#headers[name.toLowerCase()];
    return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value;
  }

  has(name: string): boolean {
    return this.#headers[name.toLowerCase()] !== undefined;
  }
}

export interface LeanResponseParts {
  readonly status: number;
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  readonly url: string;
  /** whole, or still coming */
  readonly body: Buffer | ReadableStream<Uint8Array>;
}

class LeanResponse {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly headers: LeanHeaders;
  readonly redirected = false;
  readonly type = "default";
  readonly #body: Buffer | ReadableStream<Uint8Array>;

  constructor(parts: LeanResponseParts) {
    this.status = parts.status;
    this.statusText = parts.statusText;
    this.url = parts.url;
    this.headers = new LeanHeaders(parts.headers);
    this.#body = parts.body;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (!Buffer.isBuffer(this.#body)) return this.#body;
    return this.#body.length === 0 ? null : new Blob([new Uint8Array(this.#body)]).stream();
  }

  /** Undefined for what is no JSON, or no document. */
  parsed(): unknown {
    if (!Buffer.isBuffer(this.#body)) return undefined;
    try {
      return JSON.parse(this.#body.toString("utf8")) as unknown;
    } catch {
      return undefined;
    }
  }

  async text(): Promise<string> {
    if (Buffer.isBuffer(this.#body)) return this.#body.toString("utf8");
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#body) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }

  async json(): Promise<unknown> {
    const body = this.#body;
    const text = Buffer.isBuffer(body) ? body.toString("utf8") : await this.text();
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      if (cause instanceof LuminaGuardError) throw cause;
      const message = `${this.url}: the answer is not JSON`;
      throw createMcpError("MCP_PROTOCOL", message, {
        delivery: "maybe",
        endpoint: this.url,
        cause,
      });
    }
  }
}

/** The JSON document that a response is, where it was received whole; read again, it is still there. */
export function peekJson(response: Response): unknown {
  if (!((response as unknown) instanceof LeanResponse)) return undefined;
  const lean = response as unknown as LeanResponse;
  return lean.status === 200 && isJson(lean.headers) ? lean.parsed() : undefined;
}

function isJson(headers: LeanHeaders): boolean {
  return /^application\/json\s*(;|$)/i.test(headers.get("content-type") ?? "");
}

/** A response for the SDK's transports; whatever else of `Response` they begin to read is missing. */
export function createLeanResponse(parts: LeanResponseParts): Response {
  return new LeanResponse(parts) as unknown as Response;
}
