import { describe, expect, it, vi } from "vitest";
import { Agent } from "undici";
import { hostClock } from "../../../../../src/base/clock.ts";
import { http } from "../../../../../src/mcp/client/http/http-server.ts";
import { EnduringHttpTransport } from "../../../../../src/mcp/client/http/http-transport.ts";
import { createLeanFetch } from "../../../../../src/mcp/client/http/lean-fetch.ts";
import { ManagedClient } from "../../../../../src/mcp/client/managed-client.ts";
import { HttpReplica } from "../../../../support/mcp/http-replica.ts";
import { createClient } from "../../../../support/mcp/servers.ts";
import type { Fault } from "../../../../support/mcp/http-replica.ts";

/** Counts the tool calls whose connection was closed before they were answered. */
function createHolder(isRedirecting = false): {
  readonly fault: Fault;
  readonly left: () => number;
} {
  let left = 0;
  let isRedirected = false;
  const fault: Fault = async ({ rpcMethod }, res, serve) => {
    if (rpcMethod !== "tools/call") return serve();
    if (isRedirecting && !isRedirected) {
      isRedirected = true;
      res.writeHead(307, { location: "/mcp?again" }).end();
      return;
    }
    res.on("close", () => (left += 1));
  };
  return { fault, left: () => left };
}

async function open(replica: HttpReplica) {
  const client = new ManagedClient({ name: "test", version: "1" });
  await client.connect(http(replica.url));
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

const hold = { name: "hold", arguments: {} };
const inFlight = (replica: HttpReplica, count: number) =>
  expect.poll(() => replica.calls("tools/call").length).toBe(count);

describe("a request over HTTP", () => {
  it.each([false, true])("leaves the server when it is cancelled (redirected: %s)", async (how) => {
    await using replica = await HttpReplica.start();
    await using opened = await open(replica);
    const holder = createHolder(how);
    replica.fault = holder.fault;
    const stop = new AbortController();
    const call = opened.client.callTool(hold, { signal: stop.signal });
    await inFlight(replica, how ? 2 : 1);
    const stays = Promise.allSettled([opened.client.callTool(hold)]);
    await inFlight(replica, how ? 3 : 2);
    stop.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await expect.poll(holder.left).toBe(1);
    await opened.client.close();
    expect(await stays).toMatchObject([{ status: "rejected" }]);
    await expect.poll(holder.left).toBe(2);
  });

  it("leaves the server when its transport is closed, and tells it nothing of its number", async () => {
    await using replica = await HttpReplica.start();
    const dispatcher = new Agent();
    const limits = { firstByteMs: 0, idleMs: 0, answerBytesMax: 1000 };
    const fetch = createLeanFetch({ dispatcher, limits, clock: hostClock });
    const client = createClient();
    await client.connect(new EnduringHttpTransport(new URL(replica.url), { fetch }));
    const holder = createHolder();
    replica.fault = holder.fault;
    const calls = Promise.allSettled([1, 2, 3].map(() => client.callTool(hold)));
    await inFlight(replica, 3);
    await client.close();
    for (const { status } of await calls) expect(status).toBe("rejected");
    await expect.poll(holder.left).toBe(3);
    for (const { headers } of replica.received) {
      expect(headers).not.toHaveProperty("luminaguard-flight");
    }
    await dispatcher.destroy();
  });

  it("leaves nothing behind on a signal that many calls share", async () => {
    await using replica = await HttpReplica.start();
    await using opened = await open(replica);
    // what AbortSignal.any joins to a signal stays there for good in Node 20
    const join = vi.spyOn(AbortSignal, "any");
    for (let at = 0; at < 20; at += 1) {
      await opened.client.callTool({ name: "count", arguments: { key: "a" } });
    }
    expect(replica.ledger.get("a")).toBe(20);
    expect(join).not.toHaveBeenCalled();
    join.mockRestore();
  });
});

describe("a call of a tool that was called before", () => {
  const count = (key: string) => ({ name: "count", arguments: { key } });
  const sent = (replica: HttpReplica) =>
    replica.calls("tools/call").map(({ headers }) => ({ ...headers, "content-length": "" }));

  it("goes with the headers that the first had, and no other tool's or call's", async () => {
    await using replica = await HttpReplica.start();
    await using opened = await open(replica);
    const { client } = opened;
    for (const key of ["a", "bb", "ccc"]) await client.callTool(count(key));
    const headers = { "mcp-param-region": "north" };
    await client.callTool(count("a"), { headers });
    await client.callTool({ ...count("a"), name: "look" });
    await client.callTool(count("a"));
    const [first, ...rest] = sent(replica);
    expect(first).toMatchObject({ "mcp-method": "tools/call", "mcp-name": "count" });
    const looked = { ...first, "mcp-name": "look" };
    expect(rest).toEqual([first, first, { ...first, ...headers }, looked, first]);
    expect(replica.ledger.get("a")).toBe(4);
  });

  const answer = (status: number, type: string, body: string): Fault => {
    return async ({ rpcMethod, rpcId }, res, serve) => {
      if (rpcMethod !== "tools/call") return serve();
      res.writeHead(status, { "content-type": type });
      res.end(body.replace("ID", JSON.stringify(rpcId)));
    };
  };
  const error = '{"jsonrpc":"2.0","id":ID,"error":{"code":-32020,"message":"no"}}';
  const redirect: Fault = async ({ rpcMethod }, res, serve) => {
    if (rpcMethod !== "tools/call" || res.req.url !== "/mcp") return serve();
    res.writeHead(307, { location: "/mcp?again" }).end();
  };
  const faults: readonly (readonly [string, Fault])[] = [
    ["an error of the protocol", answer(200, "application/json", error)],
    ["an error of the protocol as HTTP 400", answer(400, "application/json", error)],
    ["a document that is no message", answer(200, "application/json", '{"id":ID}')],
    ["what is no JSON", answer(200, "application/json", "{")],
    ["another kind of document", answer(200, "text/plain", "hello")],
    ["HTTP 401", answer(401, "text/plain", "who?")],
    ["HTTP 404", answer(404, "text/plain", "gone")],
    ["HTTP 500", answer(500, "text/plain", "broken")],
    ["a redirect", redirect],
    ["a stream", answer(200, "text/event-stream", `data: ${error}\n\n`)],
    ["a stream without an answer", answer(200, "text/event-stream", ": nothing\n\n")],
  ];

  it.each(faults)("ends as the first does: %s", async (_what, fault) => {
    const callTwice = async (isFirst: boolean): Promise<unknown> => {
      await using replica = await HttpReplica.start();
      await using opened = await open(replica);
      if (!isFirst) await opened.client.callTool(count("a"));
      replica.fault = fault;
      replica.received.length = 0;
      const [ended] = await Promise.allSettled([opened.client.callTool(count("a"))]);
      const { code, message, details } = (ended.status === "rejected" ? ended.reason : {}) as {
        readonly [name: string]: unknown;
      };
      const { length } = replica.calls("tools/call");
      const text = JSON.stringify({ status: ended.status, code, message, details, length });
      return text.replaceAll(replica.url, "URL");
    };
    expect(await callTwice(false)).toEqual(await callTwice(true));
  });
});
