/** A real server of 2026-07-28 whose one tool, `work`, is carried out as a task that a test scripts. */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Json = Record<string, unknown>;

export interface Asked {
  readonly method: string;
  readonly params: Json;
  readonly headers: IncomingMessage["headers"];
}

/** What tasks/get is answered with, one after the other; the last again and again. */
export type Script = readonly (Json | ((res: ServerResponse) => void))[];

export const working: Json = { status: "working" };
export const done: Json = {
  status: "completed",
  result: { content: [{ type: "text", text: "it is done" }] },
};

export class TaskServer {
  readonly asked: Asked[] = [];
  /** answers as a stream instead of one document */
  isStreaming = false;
  /** what the task says of itself beside its state */
  facts: Json = { ttlMs: null, pollIntervalMs: 0 };
  script: Script = [done];
  /** for the call itself, in place of a task */
  answer: Json | undefined;
  #polls = 0;
  readonly #http = createServer((req, res) => void this.#receive(req, res));

  static async start(script: Script): Promise<TaskServer> {
    const server = new TaskServer();
    server.script = script;
    await new Promise<void>((resolve) => server.#http.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#http.address() as AddressInfo).port)}/mcp`;
  }

  /** what was asked with this method, oldest first */
  of(method: string): Asked[] {
    return this.asked.filter((each) => each.method === method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeAllConnections();
    await closed;
  }

  async #receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as {
      id: unknown;
      method: string;
      params: Json;
    };
    this.asked.push({ method, params, headers: req.headers });
    const result = this.#carryOut(method);
    if (typeof result === "function") {
      result(res);
      return;
    }
    const text = JSON.stringify({ jsonrpc: "2.0", id, ...result });
    const type = this.isStreaming ? "text/event-stream" : "application/json";
    res.writeHead(200, { "content-type": type });
    res.end(this.isStreaming ? `event: message\ndata: ${text}\n\n` : text);
  }

  #carryOut(method: string): Json | ((res: ServerResponse) => void) {
    const complete = (result: Json): Json => ({ result: { resultType: "complete", ...result } });
    const task = { taskId: "t1", createdAt: "2026-11-22T00:00:00Z", ...this.facts };
    switch (method) {
      case "server/discover":
        return complete({
          supportedVersions: ["2026-07-28"],
          capabilities: { tools: {}, extensions: { "io.modelcontextprotocol/tasks": {} } },
          ...{ ttlMs: 0, cacheScope: "private" },
        });
      case "tools/list": {
        const tool = { name: "work", inputSchema: { type: "object" } };
        return complete({ tools: [tool], ttlMs: 0, cacheScope: "private" });
      }
      case "tools/call":
        return { result: this.answer ?? { resultType: "task", status: "working", ...task } };
      case "tasks/get": {
        const next = this.script[Math.min(this.#polls, this.script.length - 1)] ?? working;
        this.#polls += 1;
        return typeof next === "function" ? next : complete({ ...task, ...next });
      }
      default:
        return complete({});
    }
  }
}
