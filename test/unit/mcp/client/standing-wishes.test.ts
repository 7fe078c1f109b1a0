import { McpServer } from "@modelcontextprotocol/server";
import { expect, it } from "vitest";
import type { CallObserver } from "../../../../src/mcp/client/call.ts";
import { http } from "../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../src/mcp/client/managed-client.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";

const info = { name: "test", version: "1" };
const uri = "test://watched";
const server = (url: string) => http(url).withRetry({ initialMs: 2, maxMs: 20, attempts: 8 });

/** Remembers what each session was told to do. */
function createWatchedServer(wishes: string[]): McpServer {
  const mcp = new McpServer(info, {
    capabilities: { logging: {}, tools: {}, resources: { subscribe: true } },
  });
  mcp.registerResource("watched", uri, {}, () => ({ contents: [{ uri, text: "" }] }));
  mcp.server.setRequestHandler("resources/subscribe", ({ params }) => {
    wishes.push(`subscribe ${params.uri}`);
    return {};
  });
  mcp.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    wishes.push(`unsubscribe ${params.uri}`);
    return {};
  });
  mcp.server.setRequestHandler("logging/setLevel", ({ params }) => {
    wishes.push(`log ${params.level}`);
    return {};
  });
  return mcp;
}

it("wishes are made again in a session that follows one that was forgotten", async () => {
  const wishes: string[] = [];
  const createMcp = () => createWatchedServer(wishes);
  await using replica = await HttpReplica.start({ createMcp, era: "session" });
  const client = new ManagedClient(info);
  await client.connect(server(replica.url));
  await client.subscribeResource({ uri });
  await client.subscribeResource({ uri: "test://other" });
  await client.unsubscribeResource({ uri: "test://other" });
  await client.setLoggingLevel("warning");
  wishes.length = 0;
  replica.forgetSessions();
  await client.readResource({ uri });
  expect(wishes).toEqual(["log warning", `subscribe ${uri}`]);
  await client.close();
});

it("handlers serve every session, those set before and those set after", async () => {
  const tools = () => {
    const mcp = new McpServer(info, { capabilities: { tools: {} } });
    mcp.registerTool("ask", {}, async () => {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- how servers of 2025-11-25 ask
      const { roots } = await mcp.server.listRoots();
      return { content: [{ type: "text", text: roots.map(({ uri: each }) => each).join() }] };
    });
    return mcp;
  };
  await using replica = await HttpReplica.start({ createMcp: tools, era: "session" });
  const client = new ManagedClient(info, { capabilities: { roots: {} } });
  let root = "file:///before";
  client.setRequestHandler("roots/list", () => ({ roots: [{ uri: root }] }));
  await client.connect(server(replica.url));
  replica.forgetSessions();
  const ask = async (): Promise<unknown> => (await client.callTool({ name: "ask" })).content[0];
  expect(await ask()).toMatchObject({ text: "file:///before" });
  root = "file:///after";
  client.setRequestHandler("roots/list", () => ({ roots: [{ uri: `${root}/anew` }] }));
  expect(await ask()).toMatchObject({ text: "file:///after/anew" });
  replica.forgetSessions();
  expect(await ask()).toMatchObject({ text: "file:///after/anew" });
  await client.close();
});

/** Counts how often a subscription was asked for. */
class ListenTries implements CallObserver {
  begun = 0;
  failed = 0;

  readonly begin: CallObserver["begin"] = ({ method }) => {
    if (method !== "subscriptions/listen") return undefined;
    this.begun += 1;
    return { onEnd: ({ error }) => void (this.failed += error === undefined ? 0 : 1) };
  };
}

const listens = (replica: HttpReplica): number => replica.calls("subscriptions/listen").length;

it("a subscription is opened again when the server ends its stream, and closes once", async () => {
  await using replica = await HttpReplica.start();
  const tries = new ListenTries();
  const client = new ManagedClient(info, { observer: tries });
  await client.connect(server(replica.url));
  const subscription = await client.listen({ toolsListChanged: true });
  expect(listens(replica)).toBe(1);
  replica.closeConnections();
  await expect.poll(() => listens(replica)).toBe(2);
  await subscription.close();
  // settles when nobody listens any more: what is tried later would be a try of nobody
  await expect(subscription.closed).resolves.toBe("local");
  await client.ping();
  expect([tries.begun, listens(replica)]).toEqual([2, 2]);
  await client.close();
});

it("a subscription outlives a server that is gone for a while", async () => {
  await using replica = await HttpReplica.start();
  const tries = new ListenTries();
  const client = new ManagedClient(info, { observer: tries });
  const quick = server(replica.url).withRetry({ attempts: 2, maxMs: 5 });
  await client.connect(quick.withCircuitBreaker({ mode: "consecutive", openMs: 5, openMsMax: 5 }));
  const subscription = await client.listen({ toolsListChanged: true });
  await replica.kill();
  // more often than one call would be tried
  await expect.poll(() => tries.failed, { timeout: 5000 }).toBeGreaterThan(4);
  await replica.listen();
  await expect.poll(() => listens(replica), { timeout: 3000 }).toBeGreaterThan(1);
  await client.close();
  await expect(subscription.closed).resolves.toBe("local");
});

it("a subscription leaves nothing behind over two hundred streams", async () => {
  await using replica = await HttpReplica.start();
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  const client = new ManagedClient(info);
  await client.connect(server(replica.url).withRetry({ maxMs: 1, initialMs: 1, budget: 1 }));
  const subscription = await client.listen({ toolsListChanged: true });
  for (let stream = 1; stream <= 200; stream += 1) {
    replica.closeConnections();
    await expect.poll(() => listens(replica), { interval: 1 }).toBeGreaterThan(stream);
  }
  await client.close();
  await expect(subscription.closed).resolves.toBe("local");
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
