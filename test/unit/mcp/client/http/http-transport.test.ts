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
