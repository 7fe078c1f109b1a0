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

/** A response for the SDK's transports; whatever else of `Response` they begin to read is missing. */
export function createLeanResponse(parts: LeanResponseParts): Response {
  return new LeanResponse(parts) as unknown as Response;
}
