/** An HTTP server that wants a token of an authorization server, as an MCP server does (RFC 9728). */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readBody, verifyProof } from "./oauth-server.ts";
import type { OAuthServer } from "./oauth-server.ts";

export class ProtectedServer implements AsyncDisposable {
  readonly url: URL;
  /** Authorization header of each request, in order */
  readonly seen: (string | undefined)[] = [];
  /** requests that were carried out */
  served = 0;
  /** waits before it answers 401 until this many have come, so that they all had the same token */
  burst = 0;
  /** which authorization server it names */
  authorizedBy: OAuthServer;
  /** 401 for every token */
  isDeaf = false;
  #waiting: (() => void)[] = [];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, authorizedBy: OAuthServer) {
    this.#server = server;
    this.authorizedBy = authorizedBy;
    this.url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  static async start(authorizedBy: OAuthServer): Promise<ProtectedServer> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ProtectedServer(server, authorizedBy);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const metadata = new URL("/.well-known/oauth-protected-resource/mcp", this.url).href;
    if (request.url === new URL(metadata).pathname) {
      response.setHeader("content-type", "application/json");
      const named = { resource: this.url.href, authorization_servers: [this.authorizedBy.issuer] };
      return void response.end(JSON.stringify(named));
    }
    await readBody(request);
    this.seen.push(request.headers.authorization);
    const elsewhere = request.headers["x-redirect"];
    if (typeof elsewhere === "string") {
      return void response.writeHead(307, { location: elsewhere }).end();
    }
    const challenge = await this.#challenge(request);
    if (challenge === undefined) {
      this.served += 1;
      return void response.end("served");
    }
    await this.#assemble(challenge.status);
    const value = `Bearer ${challenge.parameters}, resource_metadata="${metadata}"`;
    response.writeHead(challenge.status, { "www-authenticate": value }).end("no");
  }

  async #challenge(
    request: IncomingMessage,
  ): Promise<{ status: 401 | 403; parameters: string } | undefined> {
    const [scheme, value = ""] = (request.headers.authorization ?? "").split(" ");
    const token = this.isDeaf ? undefined : this.authorizedBy.look(value);
    if (token === undefined) return { status: 401, parameters: 'scope="basic"' };
    const isBound = token.jkt !== undefined;
    const isRightScheme = scheme === (isBound ? "DPoP" : "Bearer");
    const isProven = !isBound || (await verifyProof(request)) === token.jkt;
    if (!isRightScheme || !isProven) return { status: 401, parameters: 'error="invalid_token"' };
    const needed = request.headers["x-needs-scope"];
    if (typeof needed !== "string" || token.scope.split(" ").includes(needed)) return undefined;
    return { status: 403, parameters: `error="insufficient_scope", scope="${needed}"` };
  }

  async #assemble(status: number): Promise<void> {
    if (this.burst === 0 || status !== 401) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length < this.burst) return;
      for (const go of this.#waiting.splice(0)) go();
      this.burst = 0;
    });
  }
}
