/** A real MCP server on a loopback port, with faults in front of it that a test scripts. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler } from "@modelcontextprotocol/server";
import type { McpServer } from "@modelcontextprotocol/server";
import { createCountingServer } from "./counting-server.ts";
import type { Ledger } from "./counting-server.ts";

export interface Received {
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  /** the JSON-RPC method, where the body is one */
  readonly rpcMethod: string | undefined;
  readonly rpcId: unknown;
  readonly text: string;
}

type Serve = () => Promise<void>;
/** Answers instead of the server, or serves. */
export type Fault = (received: Received, res: ServerResponse, serve: Serve) => Promise<void> | void;

export interface ReplicaOptions {
  readonly ledger?: Ledger;
  readonly name?: string;
  /** `stateless` speaks both eras, `session` the older one with sessions */
  readonly era?: "stateless" | "session";
  readonly tls?: TlsOptions;
  readonly createMcp?: () => McpServer;
  /** answers as a stream even where one document would do */
  readonly isStreaming?: boolean;
}

export class HttpReplica {
  readonly ledger: Ledger;
  readonly received: Received[] = [];
  fault: Fault | undefined;
  readonly #server: Server;
  readonly #serve: (req: IncomingMessage, res: ServerResponse, body: unknown) => Promise<void>;
  /** what a session that is not known is answered with; 400 as the SDK's own example does */
  forgottenStatus: 400 | 404 = 404;
  readonly #sessions = new Map<string, NodeStreamableHTTPServerTransport>();
  readonly #scheme: string;
  #port = 0;

  private constructor(options: ReplicaOptions) {
    this.ledger = options.ledger ?? new Map<string, number>();
    const createMcp =
      options.createMcp ?? (() => createCountingServer(this.ledger, options.name ?? "counting"));
    this.#serve =
      options.era === "session"
        ? (req, res, body) => this.#serveSession(req, res, body, createMcp)
        : stateless(createMcp, options.isStreaming === true);
    const listener = (req: IncomingMessage, res: ServerResponse): void => {
      void this.#receive(req, res).catch(() => res.destroy());
    };
    this.#scheme = options.tls === undefined ? "http" : "https";
    this.#server =
      options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  static async start(options: ReplicaOptions = {}): Promise<HttpReplica> {
    const replica = new HttpReplica(options);
    await replica.listen();
    return replica;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${String(this.#port)}/mcp`;
  }

  calls(rpcMethod: string): Received[] {
    return this.received.filter((each) => each.rpcMethod === rpcMethod);
  }

  /** The server loses every session it knew. */
  forgetSessions(): void {
    this.#sessions.clear();
  }

  /** Comes back on the port it had. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Every connection ends, and new ones are taken. */
  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  /** As if killed: every connection is reset. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.kill();
  }

  async #receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = text === "" ? undefined : (JSON.parse(text) as Record<string, unknown>);
    const received: Received = {
      method: req.method ?? "",
      headers: req.headers,
      rpcMethod: typeof body?.["method"] === "string" ? body["method"] : undefined,
      rpcId: body?.["id"],
      text,
    };
    this.received.push(received);
    const serve = (): Promise<void> => this.#serve(req, res, body);
    await (this.fault?.(received, res, serve) ?? (this.fault === undefined ? serve() : undefined));
  }

  async #serveSession(
    req: IncomingMessage,
    res: ServerResponse,
    body: unknown,
    createMcp: () => McpServer,
  ): Promise<void> {
    const id = req.headers["mcp-session-id"];
    const known = typeof id === "string" ? this.#sessions.get(id) : undefined;
    if (known !== undefined) return known.handleRequest(req, res, body);
    const isInitialize = (body as { method?: string } | undefined)?.method === "initialize";
    if (!isInitialize) {
      res.writeHead(id === undefined ? 400 : this.forgottenStatus, {
        "content-type": "application/json",
      });
      res.end(
        JSON.stringify({
          jsonrpc: "2.0",
          error: { code: -32001, message: "No valid session ID provided" },
          id: null,
        }),
      );
      return;
    }
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (each) => void this.#sessions.set(each, transport),
    });
    await createMcp().connect(transport);
    await transport.handleRequest(req, res, body);
  }
}

function stateless(
  createMcp: () => McpServer,
  isStreaming: boolean,
): (req: IncomingMessage, res: ServerResponse, body: unknown) => Promise<void> {
  const handler = toNodeHandler(
    createMcpHandler(createMcp, { responseMode: isStreaming ? "sse" : "auto" }),
  );
  return async (req, res, body) => {
    await handler(req as never, res, body);
  };
}
