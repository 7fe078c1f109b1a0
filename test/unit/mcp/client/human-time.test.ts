import { setTimeout as sleep } from "node:timers/promises";
import { acceptedContent, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { expect, it, describe } from "vitest";
import { z } from "zod";
import { http } from "../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../src/mcp/client/managed-client.ts";
import { HttpReplica } from "../../../support/mcp/http-replica.ts";
import { SseServer } from "../../../support/mcp/sse-server.ts";

const limits = { totalMs: 400, idleMs: 300, firstByteMs: 300 };
/** longer than each limit */
const thinkMs = 700;
const schema = z.object({ sure: z.boolean() });

function createAskingServer(): McpServer {
  const server = new McpServer({ name: "asking", version: "1" });
  server.registerTool("ask", { inputSchema: z.object({}) }, (_args, ctx) => {
    const answer = acceptedContent(ctx.mcpReq.inputResponses, "sure", schema);
    if (answer !== undefined) return { content: [{ type: "text", text: "a person was asked" }] };
    const sure = inputRequired.elicit({ message: "sure?", requestedSchema: schema });
    return inputRequired({ inputRequests: { sure } });
  });
  server.registerTool(
    "hold",
    { inputSchema: z.object({}) },
    () => new Promise<never>(() => undefined),
  );
  return server;
}

const servers = {
  "of 2026-07-28": () => HttpReplica.start({ createMcp: createAskingServer }),
  "of 2025-11-25": () => HttpReplica.start({ createMcp: createAskingServer, era: "session" }),
  "of 2024-11-05": () => SseServer.start(createAskingServer),
};

describe.each(Object.entries(servers))("a server %s", (_name, start) => {
  async function open() {
    const server = await start();
    const client = new ManagedClient(
      { name: "test", version: "1" },
      { capabilities: { elicitation: { form: {} } } },
    );
    client.setRequestHandler("elicitation/create", async () => {
      await sleep(thinkMs);
      return { action: "accept", content: { sure: true } };
    });
    await client.connect(http(server.url).withTimeout(limits));
    return {
      client,
      async [Symbol.asyncDispose]() {
        await client.close();
        await server[Symbol.asyncDispose]();
      },
    };
  }

  it("is not held to the time that a person takes", async () => {
    await using each = await open();
    const result = await each.client.callTool({ name: "ask" });
    expect(result.content).toEqual([{ type: "text", text: "a person was asked" }]);
  });

  it("is held to the call's time where nobody is asked", async () => {
    await using each = await open();
    const startedAt = performance.now();
    await expect(each.client.callTool({ name: "hold" })).rejects.toMatchObject({
      code: expect.stringMatching(/^(TIMEOUT|MCP_OUTCOME_UNKNOWN)$/) as string,
    });
    expect(performance.now() - startedAt).toBeLessThan(limits.totalMs + 300);
  });
});
