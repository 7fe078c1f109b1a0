/** A real MCP server of 2024-11-05 on a loopback port: answers go over the one stream of a session. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { JSONRPCMessage, McpServer, Transport } from "@modelcontextprotocol/server";
import { createCountingServer } from "./counting-server.ts";
import type { Ledger } from "./counting-server.ts";

export type PostFault = (message: JSONRPCMessage, res: ServerResponse) => boolean;

export class SseServer {
  readonly ledger: Ledger = new Map();
  readonly received: string[] = [];
  /** Answers a POST instead of the server where it gives true. */
  fault: PostFault = () => false;
  /** what the stream is answered with, where it is refused */
  streamStatus = 200;
  readonly #sessions = new Map<string, { transport: Transport; stream: ServerResponse }>();
  readonly #http = createServer((req, res) => void this.#receive(req, res));
  readonly #createMcp: () => McpServer;

  private constructor(createMcp?: () => McpServer) {
    this.#createMcp = createMcp ?? (() => createCountingServer(this.ledger));
  }

  static async start(createMcp?: () => McpServer): Promise<SseServer> {
    const server = new SseServer(createMcp);
    await new Promise<void>((resolve) => server.#http.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#http.address() as AddressInfo).port)}/sse`;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  cutStreams(): void {
    for (const { stream } of this.#sessions.values()) stream.destroy();
  }

  /** The streams stay, and nobody knows whose they are. */
  forgetSessions(): void {
    this.#sessions.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeAllConnections();
    await closed;
  }

  async #receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? "/", this.url);
    if (req.method === "GET" && url.pathname === "/sse") return this.#open(res);
    if (url.pathname !== "/messages") return void res.writeHead(405).end("not here");
    const session = this.#sessions.get(url.searchParams.get("session") ?? "");
    if (session === undefined) return void res.writeHead(404).end("no such session");
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const message = JSON.parse(Buffer.concat(chunks).toString()) as JSONRPCMessage;
    if ("method" in message) this.received.push(message.method);
    if (this.fault(message, res)) return;
    res.writeHead(202).end("Accepted");
    session.transport.onmessage?.(message);
  }

  async #open(stream: ServerResponse): Promise<void> {
    if (this.streamStatus !== 200) return void stream.writeHead(this.streamStatus).end("no stream");
    const id = randomUUID();
    const say = (event: string, data: string): Promise<void> => {
      stream.write(`event: ${event}\ndata: ${data}\n\n`);
      return Promise.resolve();
    };
    const transport: Transport = {
      start: () => Promise.resolve(),
      send: (message) => say("message", JSON.stringify(message)),
      close: () => Promise.resolve(void stream.end()),
    };
    this.#sessions.set(id, { transport, stream });
    stream.once("close", () => this.#sessions.delete(id));
    stream.writeHead(200, { "content-type": "text/event-stream" });
    await this.#createMcp().connect(transport);
    await say("endpoint", `/messages?session=${id}`);
  }
}
