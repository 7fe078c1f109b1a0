import { McpServer } from "@modelcontextprotocol/server";
import { Client } from "@modelcontextprotocol/client";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { EnduringHttpTransport } from "../../../../src/mcp/client/http/http-transport.ts";
import { QuickClient } from "../../../../src/mcp/client/quick-client.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";
import type { Fault } from "../../../support/mcp/http-replica.ts";

const info = { name: "test", version: "1" };
const options = { versionNegotiation: { mode: "auto" } } as const;
const call = { method: "tools/call", params: { name: "echo", arguments: {} } } as const;

class WatchedClient extends QuickClient {
  get codec() {
    return this._wireCodec();
  }
}

function createEcho(): McpServer {
  const mcp = new McpServer(info);
  mcp.registerTool("echo", { inputSchema: z.object({}) }, () => ({ content: [] }));
  return mcp;
}

async function connect<C extends Client>(replica: HttpReplica, client: C): Promise<C> {
  await client.connect(new EnduringHttpTransport(new URL(replica.url), { fetch }));
  return client;
}

/** Answers calls with a result that is none. */
const spoilt: Fault = async ({ rpcMethod, rpcId }, res, serve) => {
  if (rpcMethod !== "tools/call") return serve();
  const result = { resultType: "complete", content: "no list" };
  res.writeHead(200, { "content-type": "application/json" });
  res.end(JSON.stringify({ jsonrpc: "2.0", id: rpcId, result }));
};

describe.each(["stateless", "session"] as const)("a client of a %s server", (era) => {
  it("refuses what the SDK's client refuses, in its words", async () => {
    await using replica = await HttpReplica.start({ createMcp: createEcho, era });
    const ours = await connect(replica, new QuickClient(info, options));
    const theirs = await connect(replica, new Client(info, options));
    replica.fault = spoilt;
    const refused = async (client: Client, request: () => Promise<unknown>): Promise<string> => {
      const [ended] = await Promise.allSettled([Promise.resolve().then(request)]);
      if (ended.status === "fulfilled") throw new Error("it is refused");
      await client.close();
      return String(ended.reason);
    };
    const spoiltSame = await refused(ours, () => ours.request(call));
    expect(spoiltSame).toContain("Invalid result for tools/call");
    expect(await refused(theirs, () => theirs.request(call))).toBe(spoiltSame);
  });

  it("refuses a method without a result here as the SDK's client does", async () => {
    await using replica = await HttpReplica.start({ createMcp: createEcho, era });
    for (const method of ["tasks/list", "own/method"]) {
      const clients = [new QuickClient(info, options), new Client(info, options)];
      const words: string[] = [];
      for (const client of clients) {
        await connect(replica, client);
        try {
          await client.request({ method } as never);
        } catch (error) {
          words.push(String(error));
        }
        await client.close();
      }
      expect(words).toHaveLength(2);
      expect(words[0]).toBe(words[1]);
    }
  });

  it("asks for the result of a method once, and checks each result", async () => {
    await using replica = await HttpReplica.start({ createMcp: createEcho, era });
    const client = await connect(replica, new WatchedClient(info, options));
    const validate = vi.spyOn(client.codec, "validateResult");
    for (let count = 0; count < 5; count += 1) await client.callTool(call.params);
    const checked = validate.mock.calls.filter(([method]) => method === "tools/call");
    expect(checked.filter(([, result]) => result === undefined)).toHaveLength(1);
    expect(checked.filter(([, result]) => result !== undefined)).toHaveLength(5);
    validate.mockRestore();
    await client.close();
  });
});
