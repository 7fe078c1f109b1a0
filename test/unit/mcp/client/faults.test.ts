import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { http } from "../../../../src/mcp/client/http/http-server.ts";
import type { HttpServer } from "../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../src/mcp/client/managed-client.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";
import type { Fault, ReplicaOptions } from "../../../support/mcp/http-replica.ts";

const info = { name: "test", version: "1" };
const quick = { initialMs: 2, maxMs: 5 };

async function open(
  options: ReplicaOptions,
  describeServer: (server: HttpServer) => HttpServer = (server) => server,
) {
  const replica = await HttpReplica.start(options);
  const client = new ManagedClient(info);
  await client.connect(describeServer(http(replica.url).withRetry(quick)));
  await client.listTools();
  return {
    replica,
    client,
    count: (key: string, idempotent = false) =>
      client.callTool({ name: "count", arguments: { key } }, { idempotent }),
    async [Symbol.asyncDispose]() {
      await client.close();
      await replica[Symbol.asyncDispose]();
    },
  };
}

/** Fails the first `times` calls of a tool, then serves. */
function firstCalls(times: number, fault: Fault): Fault {
  let left = times;
  return (received, res, serve) => {
    if (received.rpcMethod !== "tools/call" || left === 0) return serve();
    left -= 1;
    return fault(received, res, serve);
  };
}

const answer =
  (status: number, headers: Record<string, string> = {}, body = "sorry"): Fault =>
  (_received, res) => {
    res.writeHead(status, headers).end(body);
  };

const beforeServing: Record<string, Fault> = {
  "a reset before the answer": (_received, res) => void res.socket?.resetAndDestroy(),
  "a close before the answer": (_received, res) => void res.socket?.end(),
  "half an answer": (_received, res) => {
    res.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    res.write('{"jsonrpc":"2.0",', () => res.socket?.destroy());
  },
  "a stream that is cut": (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(": here\n\n", () => res.socket?.destroy());
  },
  "a stream that ends without an answer": (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.end(": here\n\n");
  },
  "HTTP 500": answer(500),
  "HTTP 502": answer(502),
  "HTTP 503 without a time to come back": answer(503),
  "HTTP 504": answer(504),
};

const eras = ["stateless", "session"] as const;

describe.each(eras)("a %s server's call that was sent and lost", (era) => {
  it.each(Object.entries(beforeServing))("by %s ends as unknown, once", async (_name, fault) => {
    await using each = await open({ era });
    each.replica.fault = firstCalls(1, fault);
    await expect(each.count("a")).rejects.toMatchObject({ code: "MCP_OUTCOME_UNKNOWN" });
    expect(each.replica.calls("tools/call")).toHaveLength(1);
  });

  it.each(Object.entries(beforeServing))(
    "by %s is sent again if twice is once",
    async (_n, fault) => {
      await using each = await open({ era });
      each.replica.fault = firstCalls(2, fault);
      await each.count("a", true);
      const ids = each.replica.calls("tools/call").map(({ rpcId }) => rpcId);
      expect(ids).toHaveLength(3);
      expect(new Set(ids).size).toBe(3);
    },
  );
});

describe.each(eras)("a %s server's call that never began", (era) => {
  it.each([
    ["HTTP 429", answer(429)],
    ["HTTP 429 with a time", answer(429, { "retry-after": "0" })],
    ["HTTP 503 with a time to come back", answer(503, { "retry-after": "0" })],
  ])("by %s is sent again", async (_name, fault) => {
    await using each = await open({ era });
    each.replica.fault = firstCalls(2, fault);
    await each.count("a");
    expect(each.replica.ledger.get("a")).toBe(1);
    expect(each.replica.calls("tools/call")).toHaveLength(3);
  });
});

it("waits as long as the server asks", async () => {
  await using each = await open({});
  each.replica.fault = firstCalls(1, answer(429, { "retry-after": "1" }));
  const startedAt = performance.now();
  await each.count("a");
  expect(performance.now() - startedAt).toBeGreaterThan(990);
});

it("gives up at once when the server asks for longer than the call has", async () => {
  await using each = await open({}, (server) => server.withTimeout({ totalMs: 2000 }));
  each.replica.fault = firstCalls(9, answer(429, { "retry-after": "60" }));
  const startedAt = performance.now();
  await expect(each.count("a")).rejects.toMatchObject({
    code: "MCP_RATE_LIMITED",
    details: { retryAfterMs: 60_000 },
  });
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

describe("is never sent again", () => {
  it.each([
    [400, "MCP_PROTOCOL"],
    [401, "MCP_AUTH_REQUIRED"],
    [403, "MCP_FORBIDDEN"],
    [501, "MCP_PROTOCOL"],
  ])("what the server answers with HTTP %i", async (status, code) => {
    await using each = await open({});
    each.replica.fault = firstCalls(9, answer(status));
    await expect(each.count("a", true)).rejects.toMatchObject({ code });
    expect(each.replica.calls("tools/call")).toHaveLength(1);
  });

  it("a call the protocol refuses", async () => {
    await using each = await open({});
    const call = each.client.callTool({ name: "no-such-tool" }, { idempotent: true });
    await expect(call).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
    expect(each.replica.calls("tools/call")).toHaveLength(1);
  });
});

it.each([
  ["garbage", answer(200, { "content-type": "application/json" }, "<html>"), "not JSON"],
  ["another type", answer(200, { "content-type": "text/html" }, "<html>"), "content type"],
  ["JSON that is not the protocol", answer(200, { "content-type": "application/json" }, "{}"), ""],
])("calls %s what it is", async (_name, fault, text) => {
  await using each = await open({});
  each.replica.fault = firstCalls(9, fault);
  await expect(each.count("a", true)).rejects.toMatchObject({
    code: "MCP_PROTOCOL",
    message: expect.stringContaining(text) as string,
  });
});

it("bounds an answer", async () => {
  await using each = await open({}, (server) => server.withLimits({ answerBytesMax: 100_000 }));
  each.replica.fault = firstCalls(9, (_received, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    const chunk = Buffer.alloc(65_536, " ");
    const write = (): void => {
      if (res.writable) res.write(chunk, write);
    };
    write();
  });
  await expect(each.count("a", true)).rejects.toMatchObject({
    code: "MCP_PROTOCOL",
    message: expect.stringContaining("larger than 100000 bytes") as string,
  });
});

describe("silence", () => {
  const slow: Record<string, Fault> = {
    "before the answer": () => undefined,
    "within a document": (_received, res) => {
      res.writeHead(200, { "content-type": "application/json" }).write("{");
    },
    "within a stream": (_received, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write(": here\n\n");
    },
  };
  it.each(Object.entries(slow))("%s is found within its limit", async (_name, fault) => {
    const limits = { firstByteMs: 150, idleMs: 150 };
    await using each = await open({}, (server) => server.withTimeout(limits));
    each.replica.fault = firstCalls(1, fault);
    const startedAt = performance.now();
    await each.count("a", true);
    expect(performance.now() - startedAt).toBeLessThan(1500);
    expect(each.replica.calls("tools/call")).toHaveLength(2);
  });

  it("of a server that drips is ended by the call's own time", async () => {
    const limits = { idleMs: 150, totalMs: 400 };
    await using each = await open({}, (server) => server.withTimeout(limits));
    each.replica.fault = firstCalls(9, (_received, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      const drip = setInterval(() => res.write(": drip\n\n"), 20);
      res.once("close", () => clearInterval(drip));
    });
    await expect(each.count("a", true)).rejects.toMatchObject({
      code: "TIMEOUT",
      details: { phase: "total" },
    });
  });
});

it("follows no redirect to another origin, and sends nothing there", async () => {
  await using elsewhere = await HttpReplica.start();
  await using each = await open({}, (server) => server.withHeaders({ authorization: "canary" }));
  each.replica.fault = firstCalls(9, answer(307, { location: elsewhere.url }));
  await expect(each.count("a", true)).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
  expect(elsewhere.received).toEqual([]);
});

it.each([404, 400] as const)(
  "takes a session that was forgotten (%i) up again, once for all",
  async (status) => {
    await using each = await open({ era: "session" });
    each.replica.forgottenStatus = status;
    each.replica.forgetSessions();
    const keys = Array.from({ length: 20 }, (_, index) => `k${String(index)}`);
    await Promise.all(keys.map((key) => each.count(key)));
    expect([...each.replica.ledger.values()]).toEqual(keys.map(() => 1));
    expect(each.replica.calls("initialize")).toHaveLength(2);
  },
);

it("ends its session with the server when it is closed", async () => {
  const each = await open({ era: "session" });
  await each.client.close();
  expect(each.replica.received.at(-1)?.method).toBe("DELETE");
  await each[Symbol.asyncDispose]();
});

it("names an address that does not exist", async () => {
  const client = new ManagedClient(info);
  const server = http("http://no-such-host.invalid/mcp").withRetry({ attempts: 1 });
  await expect(client.connect(server)).rejects.toMatchObject({
    code: "MCP_DNS",
    details: { delivery: "never" },
  });
});

it("names a port where nobody listens", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const client = new ManagedClient(info);
  const target = http(`http://127.0.0.1:${String(port)}/mcp`).withRetry({ attempts: 2, ...quick });
  await expect(client.connect(target)).rejects.toMatchObject({
    code: "MCP_TRANSIENT",
    message: expect.stringContaining("ECONNREFUSED") as string,
  });
});

it("ends a call with the caller's own reason when it is cancelled", async () => {
  await using each = await open({});
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  const call = each.client.callTool({ name: "hold" }, { signal: controller.signal });
  const answered = expect(call).rejects.toBe(reason);
  await expect.poll(() => each.replica.calls("tools/call").length).toBe(1);
  controller.abort(reason);
  await answered;
});

it("sends a notification again that was lost with its connection", async () => {
  const replica = await HttpReplica.start({ era: "session" });
  let resets = 1;
  replica.fault = (received, res, serve) => {
    if (received.rpcMethod !== "notifications/initialized" || resets === 0) return serve();
    resets -= 1;
    res.socket?.resetAndDestroy();
    return undefined;
  };
  const client = new ManagedClient(info);
  await client.connect(http(replica.url).withRetry({ attempts: 1 }));
  expect(replica.calls("notifications/initialized")).toHaveLength(2);
  await client.close();
  await replica[Symbol.asyncDispose]();
});
