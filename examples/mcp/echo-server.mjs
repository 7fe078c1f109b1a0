// A small MCP server without dependencies, of both eras: over stdin and stdout, or over HTTP.
//   node echo-server.mjs                 speaks over its pipes
//   startEchoServer({ tls, guard })      listens on a port of this host
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const info = { name: "echo", version: "1.0.0" };
const schema = { type: "object", properties: { text: { type: "string" } }, required: ["text"] };
const tool = { name: "echo", description: "says it again", inputSchema: schema };
const own = { "io.modelcontextprotocol/serverInfo": info };
const capabilities = { tools: { listChanged: true } };
const cached = { resultType: "complete", ttlMs: 0, cacheScope: "private" };

const methods = {
  "server/discover": () => ({
    ...{ ...cached, supportedVersions: ["2026-07-28"], capabilities, _meta: own },
  }),
  initialize: () => ({
    ...{ protocolVersion: "2025-11-25", capabilities, serverInfo: info },
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

/** The messages of a request that is answered by a stream, as long as it is read. */
const streams = {
  // a call whose caller wants to hear of its progress
  "tools/call": async function* ({ id, params }) {
    const { progressToken } = params._meta;
    for (const progress of [1, 2, 3]) {
      yield { method: "notifications/progress", params: { progressToken, progress, total: 3 } };
    }
    yield answer({ id, method: "tools/call", params });
  },
  "subscriptions/listen": async function* ({ id, params }) {
    const _meta = { "io.modelcontextprotocol/subscriptionId": id };
    const { notifications } = params;
    yield {
      method: "notifications/subscriptions/acknowledged",
      params: { notifications, _meta },
    };
    yield { method: "notifications/tools/list_changed", params: { _meta } };
    await new Promise(() => {}); // until its reader leaves
  },
};

function streamOf(message) {
  const isWanted =
    message.method !== "tools/call" || message.params._meta?.progressToken !== undefined;
  return isWanted ? streams[message.method]?.(message) : undefined;
}

async function reply(request, response) {
  let body = "";
  for await (const chunk of request) body += chunk;
  if (request.method !== "POST") return response.writeHead(405).end();
  const message = JSON.parse(body);
  const stream = streamOf(message);
  if (stream !== undefined) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for await (const each of stream) {
      response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", ...each })}\n\n`);
    }
    return response.end();
  }
  const answered = answer(message);
  if (answered === undefined) return response.writeHead(202).end();
  response.writeHead(answered.error === undefined ? 200 : 404, {
    "content-type": "application/json",
  });
  return response.end(JSON.stringify(answered));
}

/**
 * Listens on a free port of this host; gives its address and what ends it. `tls` is what a server of
 * node:https takes; `guard` answers a request itself, and gives true, where it is not to be served.
 */
export async function startEchoServer({ tls, guard = () => false } = {}) {
  const listener = async (request, response) => {
    if (!(await guard(request, response))) await reply(request, response);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const scheme = tls === undefined ? "http" : "https";
  const url = `${scheme}://127.0.0.1:${server.address().port}/mcp`;
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
