/** An HTTPS server on loopback that says whose client certificate it saw, and one question to it. */
import { once } from "node:events";
import { createServer } from "node:https";
import type { ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { Agent, buildConnector } from "undici";
import { endWithAlert } from "../../src/mcp/client/tls/tls-error.ts";

export interface TlsServer extends AsyncDisposable {
  readonly url: string;
  /** requests that reached the handler */
  readonly requests: () => number;
}

export async function startTlsServer(options: ServerOptions): Promise<TlsServer> {
  let requests = 0;
  const server = createServer(options, (request, response) => {
    requests += 1;
    const { socket } = request;
    if (!(socket instanceof TLSSocket)) throw new Error("an HTTPS server's sockets are TLS");
    const peer = socket.getPeerCertificate() as { subject?: { CN: string } };
    response.end(peer.subject?.CN ?? "nobody");
  });
  server.on("tlsClientError", () => undefined); // a client that was refused, or refuses
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The answer's text over a new connection, whose settings are taken as the client takes them. */
export async function askOnce(url: string, settings: object): Promise<string> {
  const connect = buildConnector({ ...settings, timeout: 5000 });
  const agent = new Agent({
    connect: (target, whenDone) => {
      connect(target, (...result) => {
        if (result[0] === null) endWithAlert(result[1]);
        whenDone(...result);
      });
    },
  });
  try {
    const { body } = await agent.request({ origin: url, path: "/", method: "GET" });
    return await body.text();
  } finally {
    await agent.destroy();
  }
}
