import { expect, it } from "vitest";
import { http } from "../../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../../src/mcp/client/managed-client.ts";
import { SseServer } from "../../../../support/mcp/sse-server.ts";

const info = { name: "test", version: "1" };

async function open(mode: "auto" | "sse" = "auto") {
  const server = await SseServer.start();
  const client = new ManagedClient(info);
  const target = http(server.url).withTransport(mode).withRetry({ initialMs: 2, maxMs: 5 });
  await client.connect(target);
  return {
    server,
    client,
    count: (key: string, idempotent = false) =>
      client.callTool({ name: "count", arguments: { key } }, { idempotent }),
    hold: (idempotent = false) => client.callTool({ name: "hold" }, { idempotent }),
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

it.each(["auto", "sse"] as const)(
  "a server of 2024-11-05 is found and called (%s)",
  async (mode) => {
    await using each = await open(mode);
    const { tools } = await each.client.listTools();
    expect(tools.map(({ name }) => name)).toContain("count");
    await Promise.all(["a", "b", "c"].map((key) => each.count(key)));
    expect([...each.server.ledger.values()]).toEqual([1, 1, 1]);
    expect(each.client.getProtocolEra()).toBe("legacy");
    expect(each.server.sessionCount).toBe(1);
  },
);

it("a stream that is cut ends its calls at once, and the next call connects anew", async () => {
  await using each = await open();
  const startedAt = performance.now();
  const held = expect(each.hold()).rejects.toMatchObject({ code: "MCP_OUTCOME_UNKNOWN" });
  await expect.poll(() => each.server.received).toContain("tools/call");
  each.server.cutStreams();
  await held;
  expect(performance.now() - startedAt).toBeLessThan(1000);
  await each.count("after");
  expect(each.server.ledger.get("after")).toBe(1);
  expect(each.server.received.filter((method) => method === "initialize")).toHaveLength(2);
});

it.each([
  [500, "MCP_OUTCOME_UNKNOWN"],
  [400, "MCP_PROTOCOL"],
  [401, "MCP_AUTH_REQUIRED"],
  [403, "MCP_FORBIDDEN"],
])("a POST that fails with HTTP %i hurts no other call", async (status, code) => {
  await using each = await open();
  const controller = new AbortController();
  const reason = new Error("held long enough");
  const held = expect(
    each.client.callTool({ name: "hold" }, { signal: controller.signal }),
  ).rejects.toBe(reason);
  await expect.poll(() => each.server.received).toContain("tools/call");
  each.server.fault = (message, res) => {
    if (!("method" in message) || message.method !== "tools/call") return false;
    res.writeHead(status).end("sorry");
    return true;
  };
  await expect(each.count("a")).rejects.toMatchObject({ code });
  each.server.fault = () => false;
  await each.count("b");
  expect(each.server.received.filter((method) => method === "initialize")).toHaveLength(1);
  controller.abort(reason);
  await held;
});

it("a session that was forgotten is begun anew, and its call made once", async () => {
  await using each = await open();
  each.server.forgetSessions();
  await each.count("a");
  expect(each.server.ledger.get("a")).toBe(1);
});

it.each([
  [401, "MCP_AUTH_REQUIRED"],
  [403, "MCP_FORBIDDEN"],
  [404, "MCP_PROTOCOL"],
])("a stream that is refused with HTTP %i is told so", async (status, code) => {
  await using server = await SseServer.start();
  server.streamStatus = status;
  const client = new ManagedClient(info);
  const target = http(server.url).withTransport("sse");
  await expect(client.connect(target)).rejects.toMatchObject({ code, details: { status } });
});

it("a server that is not there was never asked", async () => {
  const server = await SseServer.start();
  const target = http(server.url).withTransport("sse").withRetry({ attempts: 1 });
  await server[Symbol.asyncDispose]();
  await expect(new ManagedClient(info).connect(target)).rejects.toMatchObject({
    code: "MCP_TRANSIENT",
    details: { delivery: "never" },
  });
});
