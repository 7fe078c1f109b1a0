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
