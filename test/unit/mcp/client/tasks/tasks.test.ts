import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { http } from "../../../../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../../../../src/mcp/client/managed-client.ts";
import type { ManagedClientOptions } from "../../../../../src/mcp/client/client-options.ts";
import { done, TaskServer, working } from "../../../../support/mcp/task-server.ts";
import type { Script } from "../../../../support/mcp/task-server.ts";

const info = { name: "test", version: "1" };
const result = { content: [{ type: "text", text: "it is done" }] };
const key = "io.modelcontextprotocol/clientCapabilities";

async function open(script: Script, options: ManagedClientOptions = {}) {
  const server = await TaskServer.start(script);
  const client = new ManagedClient(info, options);
  await client.connect(http(server.url).withRetry({ initialMs: 2, maxMs: 5 }));
  return {
    server,
    client,
    work: (more: Parameters<ManagedClient["callTool"]>[1] = {}) =>
      client.callTool({ name: "work" }, more),
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const ask = (name: string) => ({
  status: "input_required",
  inputRequests: {
    [name]: {
      method: "elicitation/create",
      params: {
        mode: "form",
        message: `which ${name}?`,
        requestedSchema: { type: "object", properties: { it: { type: "string" } } },
      },
    },
  },
});

describe.each([false, true])(
  "a call that became a task (answers as streams: %s)",
  (isStreaming) => {
    it("is followed to its end, and gives what the call would have given", async () => {
      await using each = await open([working, working, done]);
      each.server.isStreaming = isStreaming;
      expect(await each.work()).toMatchObject(result);
      expect(each.server.of("tools/call")).toHaveLength(1);
      const polls = each.server.of("tasks/get");
      expect(polls.map(({ params }) => params["taskId"])).toEqual(["t1", "t1", "t1"]);
      expect(polls[0]?.headers).toMatchObject({ "mcp-method": "tasks/get", "mcp-name": "t1" });
      expect(each.server.of("tasks/cancel")).toEqual([]);
    });

    it("hands on each thing it asks for once, and sends the answers", async () => {
      const script = [working, ask("first"), ask("first"), ask("second"), done];
      await using each = await open(script, { capabilities: { elicitation: { form: {} } } });
      each.server.isStreaming = isStreaming;
      const questions: string[] = [];
      each.client.setRequestHandler("elicitation/create", ({ params }) => {
        questions.push(params.message);
        return { action: "accept", content: { it: "yes" } };
      });
      expect(await each.work()).toMatchObject(result);
      expect(questions).toEqual(["which first?", "which second?"]);
      expect(each.server.of("tasks/update").map(({ params }) => params["inputResponses"])).toEqual([
        { first: { action: "accept", content: { it: "yes" } } },
        { second: { action: "accept", content: { it: "yes" } } },
      ]);
    });
  },
);

it("says in every request that it can follow tasks, unless it is told not to", async () => {
  await using able = await open([done]);
  await able.work();
  for (const { params } of able.server.asked) {
    const capabilities = (params["_meta"] as Record<string, unknown>)[key];
    expect(capabilities).toMatchObject({ extensions: { "io.modelcontextprotocol/tasks": {} } });
  }
  await using unable = await open([done], { tasks: false });
  await expect(unable.work()).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
  expect(JSON.stringify(unable.server.asked.map(({ params }) => params))).not.toContain("tasks");
});

describe("a task ends the call", () => {
  it("with the protocol's error where it failed", async () => {
    const error = { code: -32603, message: "out of paper" };
    await using each = await open([{ status: "failed", error }]);
    await expect(each.work()).rejects.toMatchObject({
      code: "MCP_PROTOCOL",
      message: expect.stringContaining("out of paper (-32603)") as string,
      details: { delivery: "answered" },
    });
    expect(each.server.of("tasks/cancel")).toEqual([]);
  });

  it("with what the server says where the server cancelled it", async () => {
    await using each = await open([{ status: "cancelled", statusMessage: "the shop closed" }]);
    await expect(each.work()).rejects.toMatchObject({
      code: "CANCELLED",
      message: expect.stringContaining("the shop closed") as string,
    });
  });

  it("with a tool's own failure as a result", async () => {
    const failed = { ...result, isError: true };
    await using each = await open([{ status: "completed", result: failed }]);
    expect(await each.work()).toMatchObject(failed);
  });

  it("as a protocol error where its result is not one of a tool", async () => {
    await using each = await open([{ status: "completed", result: { content: "?" } }]);
    await expect(each.work()).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
  });
});

describe("a poll that is lost", () => {
  const lost: Script = [
    (res) => void res.socket?.resetAndDestroy(),
    (res) => void res.writeHead(503).end(),
    (res) => void res.writeHead(429, { "retry-after": "0" }).end(),
  ];

  it("is sent again, and the call is not", async () => {
    await using each = await open([...lost, done]);
    expect(await each.work()).toMatchObject(result);
    expect(each.server.of("tools/call")).toHaveLength(1);
    expect(each.server.of("tasks/get")).toHaveLength(4);
  });

  it("again and again leaves the outcome unknown, even if the poll never arrived", async () => {
    await using each = await open(lost.slice(-1));
    await expect(each.work()).rejects.toMatchObject({ code: "MCP_OUTCOME_UNKNOWN" });
    expect(each.server.of("tools/call")).toHaveLength(1);
    expect(each.server.of("tasks/get")).toHaveLength(5);
  });
});

it("tells the server when its caller left, with the caller's own reason", async () => {
  await using each = await open([working]);
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  const left = expect(each.work({ signal: controller.signal })).rejects.toBe(reason);
  await expect.poll(() => each.server.of("tasks/get").length).toBeGreaterThan(0);
  controller.abort(reason);
  await left;
  await expect.poll(() => each.server.of("tasks/cancel").length).toBe(1);
  expect(each.server.of("tasks/cancel")[0]?.params["taskId"]).toBe("t1");
});

it("holds the call to its own time", async () => {
  await using each = await open([working]);
  await expect(each.work({ timeout: 250 })).rejects.toMatchObject({
    code: "TIMEOUT",
    details: { phase: "total" },
  });
  await expect.poll(() => each.server.of("tasks/cancel").length).toBe(1);
});

it("waits no longer than the server keeps the task", async () => {
  await using each = await open([working]);
  each.server.facts = { ttlMs: 50, pollIntervalMs: 0 };
  await expect(each.work()).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringContaining("50 ms that the server keeps it") as string,
  });
});

/** how long the person thinks: real time, since it is the clock's own pauses that are tried */
const thinkMs = 400;

it("does not count the time a person takes", async () => {
  await using each = await open([ask("name"), working, done], {
    capabilities: { elicitation: { form: {} } },
  });
  each.client.setRequestHandler("elicitation/create", async () => {
    await sleep(thinkMs);
    return { action: "accept", content: { it: "yes" } };
  });
  expect(await each.work({ timeout: thinkMs - 20 })).toMatchObject(result);
});

it("cancels a task that asks what nobody here can answer", async () => {
  await using each = await open([ask("name")]);
  await expect(each.work()).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
  await expect.poll(() => each.server.of("tasks/cancel").length).toBe(1);
});

it("takes no task for an answer to anything but a call", async () => {
  await using each = await open([done]);
  each.server.answer = { resultType: "complete", content: [] };
  expect(await each.work()).toEqual({ content: [] });
  each.server.answer = { resultType: "task" };
  await expect(each.work()).rejects.toMatchObject({ code: "MCP_PROTOCOL" });
});
