// A small MCP server without dependencies, of both eras: over stdin and stdout, or over HTTP.
//   node echo-server.mjs            speaks over its pipes
//   startEchoServer()               listens on a port of this host
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const info = { name: "echo", version: "1.0.0" };
const schema = { type: "object", properties: { text: { type: "string" } }, required: ["text"] };
const tool = { name: "echo", description: "says it again", inputSchema: schema };
const own = { "io.modelcontextprotocol/serverInfo": info };
const cached = { resultType: "complete", ttlMs: 0, cacheScope: "private" };

const methods = {
  "server/discover": () => ({
    ...{ ...cached, supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, _meta: own },
  }),
  initialize: () => ({
    ...{ protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: info },
  }),
  ping: () => ({}),
  "tools/list": () => ({ ...cached, tools: [tool] }),
  "tools/call": ({ arguments: { text } }) => ({
    ...{ resultType: "complete", content: [{ type: "text", text }] },
  }),
};

/** The answer to one message; undefined where none is awaited. */
function answer({ id, method, params }) {
  if (id === undefined) return undefined;
  const run = methods[method];
  if (run === undefined) {
    return { jsonrpc: "2.0", id, error: { code: -32601, message: `no method ${method}` } };
  }
  return { jsonrpc: "2.0", id, result: run(params ?? {}) };
}

/** Listens on a free port of this host; gives its address and what ends it. */
export async function startEchoServer() {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    if (request.method !== "POST") return response.writeHead(405).end();
    const message = answer(JSON.parse(body));
    if (message === undefined) return response.writeHead(202).end();
    response.writeHead(message.error === undefined ? 200 : 404, {
      "content-type": "application/json",
    });
    response.end(JSON.stringify(message));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/mcp`;
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url, close };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for await (const line of createInterface({ input: process.stdin })) {
    const message = answer(JSON.parse(line));
    if (message !== undefined) console.log(JSON.stringify(message));
  }
}
