/**
 * The least that an MCP server of 2026-07-28 can be: it answers `server/discover` and gives the words of
 * any tool's call back, over HTTP or stdio. It is a program of its own, so that what is measured is the
 * client.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** this file, as a program: its argument is `http`, which prints the port, or `stdio` */
export const echoServerFile: string = fileURLToPath(import.meta.url);

interface Request {
  readonly id?: unknown;
  readonly method: string;
  readonly params?: { readonly arguments?: { readonly words?: string } };
}

const common = {
  resultType: "complete",
  _meta: { "io.modelcontextprotocol/serverInfo": { name: "echo", version: "1" } },
};
const discovery = {
  ...{ supportedVersions: ["2026-07-28"], capabilities: { tools: {} } },
  ...{ ttlMs: 0, cacheScope: "private" },
};

/** Undefined for a notification. */
function answer(text: string): string | undefined {
  const { id, method, params } = JSON.parse(text) as Request;
  if (id === undefined) return undefined;
  const said = params?.arguments?.words ?? "";
  const result =
    method === "server/discover" ? discovery : { content: [{ type: "text", text: said }] };
  return JSON.stringify({ jsonrpc: "2.0", id, result: { ...result, ...common } });
}

function serveHttp(): void {
  const server = createServer((req, res) => {
    let text = "";
    req.setEncoding("utf8");
    req.on("data", (chunk: string) => (text += chunk));
    req.on("end", () => {
      const body = answer(text);
      if (body === undefined) res.writeHead(202).end();
      else {
        const length = Buffer.byteLength(body);
        res.writeHead(200, { "content-type": "application/json", "content-length": length });
        res.end(body);
      }
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  });
  process.stdin.resume().once("end", () => server.close().closeAllConnections());
}

function serveStdio(): void {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const body = answer(line);
    if (body !== undefined) process.stdout.write(`${body}\n`);
  });
}

if (process.argv[1] === echoServerFile) {
  if (process.argv[2] === "http") serveHttp();
  else serveStdio();
}
