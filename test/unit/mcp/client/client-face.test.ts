/** What `ManagedClient` has of the SDK client's face beside calls. */
import { McpServer } from "@modelcontextprotocol/server";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { http } from "../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../src/mcp/client/managed-client.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";

const info = { name: "test", version: "1" };
const eras = ["stateless", "session"] as const;

/** Its tool tells of three steps, and waits after each for the caller's leave. */
function createSteppingServer(leave: (step: number) => Promise<void>): McpServer {
  const mcp = new McpServer(info);
  mcp.registerTool("step", { inputSchema: z.object({}) }, async (_args, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let step = 1; step <= 3 && progressToken !== undefined; step += 1) {
      const params = { progressToken, progress: step, total: 3, message: `step ${step}` };
      await mcpReq.notify({ method: "notifications/progress", params });
      await leave(step);
    }
    return { content: [{ type: "text", text: "done" }] };
  });
  return mcp;
}

describe.each(eras)("a call of a %s server", (era) => {
  it("tells of its progress while it goes on", async () => {
    const told: unknown[] = [];
    const leave = async (step: number): Promise<void> => {
      await expect.poll(() => told.length).toBe(step); // told before the next step is taken
    };
    const createMcp = () => createSteppingServer(leave);
    await using replica = await HttpReplica.start({ createMcp, era });
    const client = new ManagedClient(info);
    await client.connect(http(replica.url));
    const onprogress = (progress: unknown): void => void told.push(progress);
    const result = await client.callTool({ name: "step" }, { onprogress });
    expect(result.content).toEqual([{ type: "text", text: "done" }]);
    expect(told).toEqual(
      [1, 2, 3].map((step) => ({ progress: step, total: 3, message: `step ${step}` })),
    );
    await client.close();
  });
});

describe("what happens beside calls", () => {
  it("takes the place of no call's result, and goes to onerror", async () => {
    await using replica = await HttpReplica.start();
    const client = new ManagedClient(info);
    await client.connect(http([replica.url, "http://127.0.0.1:1/mcp"]));
    const errors: string[] = [];
    client.onerror = ({ message }) => {
      errors.push(message);
      throw new Error("whoever is told fails too");
    };
    client.onStateChange(() => {
      throw new Error("the listener failed");
    });
    const count = (key: string) =>
      client.callTool({ name: "count", arguments: { key } }, { idempotent: true });
    for (let call = 0; call < 20 && errors.length === 0; call += 1) {
      expect((await count("a")).isError).toBeUndefined();
    }
    expect(errors).toContain("the listener failed");
    await client.close();
  });

  it("is heard of where the SDK's client would tell it", async () => {
    const createMcp = () => {
      const mcp = new McpServer(info);
      mcp.registerTool("chat", { inputSchema: z.object({}) }, async (_args, { mcpReq }) => {
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken: "nobody's", progress: 1 },
        });
        return { content: [] };
      });
      return mcp;
    };
    await using replica = await HttpReplica.start({ createMcp, era: "session" });
    const client = new ManagedClient(info);
    const errors: string[] = [];
    client.onerror = ({ message }) => void errors.push(message);
    await client.connect(http(replica.url));
    await client.callTool({ name: "chat" });
    await expect.poll(() => errors.join()).toContain("unknown token");
    await client.close();
  });
});

describe("capabilities", () => {
  it("registered before connecting hold in every session, and roots that changed are told of", async () => {
    const told: string[] = [];
    const createMcp = () => {
      const mcp = new McpServer(info);
      mcp.registerTool("wants", { inputSchema: z.object({}) }, () => {
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- how servers of 2025-11-25 know
        const text = JSON.stringify(mcp.server.getClientCapabilities()?.roots ?? null);
        return { content: [{ type: "text", text }] };
      });
      mcp.server.setNotificationHandler("notifications/roots/list_changed", ({ method }) => {
        told.push(method);
      });
      return mcp;
    };
    await using replica = await HttpReplica.start({ createMcp, era: "session" });
    const client = new ManagedClient(info);
    client.registerCapabilities({ roots: { listChanged: true } });
    client.setRequestHandler("roots/list", () => ({ roots: [] }));
    await client.connect(http(replica.url).withRetry({ initialMs: 2, maxMs: 20 }));
    const wants = async (): Promise<unknown> =>
      (await client.callTool({ name: "wants" })).content[0];
    expect(await wants()).toMatchObject({ text: '{"listChanged":true}' });
    replica.forgetSessions();
    expect(await wants()).toMatchObject({ text: '{"listChanged":true}' });
    await client.sendRootsListChanged();
    await expect.poll(() => told).toEqual(["notifications/roots/list_changed"]);
    expect(() => client.registerCapabilities({})).toThrow(
      expect.objectContaining({ code: "USAGE" }) as Error,
    );
    await client.close();
    await expect(client.sendRootsListChanged()).rejects.toMatchObject({ code: "MCP_UNAVAILABLE" });
  });

  it("of roots are not told of to a server of 2026-07-28, which asks for them", async () => {
    await using replica = await HttpReplica.start();
    const client = new ManagedClient(info, { capabilities: { roots: { listChanged: true } } });
    await client.connect(http(replica.url));
    await client.sendRootsListChanged();
    expect(replica.calls("notifications/roots/list_changed")).toEqual([]);
    await client.close();
  });
});
