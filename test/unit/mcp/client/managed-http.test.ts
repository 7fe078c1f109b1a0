import { describe, expect, it } from "vitest";
import { http } from "../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../src/mcp/client/managed-client.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";

const info = { name: "test", version: "1" };

async function connect(...replicas: readonly HttpReplica[]) {
  const client = new ManagedClient(info);
  await client.connect(http(replicas.map(({ url }) => url)).withRetry({ initialMs: 5, maxMs: 20 }));
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

describe.each(["stateless", "session"] as const)("a client of a %s server", (era) => {
  it("lists its tools and calls one", async () => {
    await using replica = await HttpReplica.start({ era });
    await using opened = await connect(replica);
    const { tools } = await opened.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["count", "look", "fail", "hold"]);
    const result = await opened.client.callTool({ name: "count", arguments: { key: "a" } });
    expect(result.content).toEqual([{ type: "text", text: "counting counted a" }]);
    expect(replica.ledger.get("a")).toBe(1);
    expect(opened.client.getProtocolEra()).toBe(era === "stateless" ? "modern" : "legacy");
    expect(opened.client.snapshot().state).toBe("ready");
  });
});

describe("a server that does not answer at all", () => {
  it("costs a call no more than the call's own time, also while the connection is made", async () => {
    await using replica = await HttpReplica.start();
    replica.fault = () => undefined;
    const client = new ManagedClient(info);
    const startedAt = performance.now();
    const connecting = client.connect(http(replica.url), { timeout: 200 });
    await expect(connecting).rejects.toMatchObject({
      code: "TIMEOUT",
      details: { phase: "total", delivery: "never" },
    });
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });
});

it("a server that forgot the revision is asked for its revision again", async () => {
  await using replica = await HttpReplica.start();
  await using opened = await connect(replica);
  let refusals = 1;
  replica.fault = async (received, res, serve) => {
    if (received.rpcMethod !== "tools/call" || refusals === 0) return serve();
    refusals -= 1;
    const data = { supported: ["2025-11-25"], requested: "2026-07-28" };
    const error = { code: -32022, message: "unsupported protocol version", data };
    res.writeHead(400, { "content-type": "application/json" });
    res.end(JSON.stringify({ jsonrpc: "2.0", id: received.rpcId, error }));
  };
  await opened.client.callTool({ name: "count", arguments: { key: "a" } });
  expect(replica.calls("server/discover")).toHaveLength(2);
  expect(replica.ledger.get("a")).toBe(1);
});
