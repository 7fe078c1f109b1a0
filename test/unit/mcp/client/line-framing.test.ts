import { describe, expect, it } from "vitest";
import { isDeeperThan } from "../../../../src/mcp/client/json-depth.ts";
import { frameMessage, MessageReader } from "../../../../src/mcp/client/line-framing.ts";

function read(text: string | Buffer): { messages: unknown[]; garbage: string[] } {
  const messages: unknown[] = [];
  const garbage: string[] = [];
  const reader = new MessageReader({
    messageBytesMax: 10_000,
    onMessage: (message) => messages.push(message),
    onGarbage: (error) => garbage.push(error.message),
  });
  reader.push(Buffer.from(text));
  return { messages, garbage };
}

const request = { jsonrpc: "2.0", id: 1, method: "ping" };

describe("messages", () => {
  it.each([
    request,
    { ...request, id: "one", params: { nested: [{}] } },
    { jsonrpc: "2.0", method: "notifications/x" },
    { jsonrpc: "2.0", id: 1, result: {} },
    { jsonrpc: "2.0", id: 1, error: { code: -32601, message: "no" } },
    { jsonrpc: "2.0", error: { code: -32700, message: "no" } },
  ])("are those of JSON-RPC 2.0: %j", (message) => {
    expect(read(`${JSON.stringify(message)}\r\n`)).toEqual({ messages: [message], garbage: [] });
  });

  it.each([
    "hello",
    "null",
    "7",
    "[]",
    `[${JSON.stringify(request)}]`,
    JSON.stringify({ ...request, jsonrpc: "1.0" }),
    JSON.stringify({ ...request, id: null }),
    JSON.stringify({ ...request, id: 1.5 }),
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","result":{}}',
  ])("are not %s", (line) => {
    const { messages, garbage } = read(`${line}\n${JSON.stringify(request)}\n`);
    expect(messages).toEqual([request]);
    expect(garbage).toEqual([expect.stringContaining("no JSON-RPC message")]);
  });

  it.each([
    { jsonrpc: "2.0", id: 4, result: null },
    { id: 4, result: {} },
    { jsonrpc: "2.0", id: 4, error: "no" },
    { jsonrpc: "2.0", id: 4, error: { code: "4", message: "no" } },
  ])("that are bad answers fail the call they answer: %j", (answer) => {
    const { messages, garbage } = read(`${JSON.stringify(answer)}\n`);
    expect(messages).toMatchObject([{ jsonrpc: "2.0", id: 4, error: { code: -32603 } }]);
    expect(garbage).toHaveLength(1);
  });

  it("have nothing said of empty lines between them", () => {
    expect(read("\n\r\n  \n")).toEqual({ messages: [], garbage: [] });
  });

  it("that are not UTF-8 lose what is not, and nothing else", () => {
    const line = Buffer.from(frameMessage({ jsonrpc: "2.0", id: 1, result: { text: "a~b" } }));
    line[line.indexOf("~")] = 0xff;
    expect(read(line).messages).toEqual([{ jsonrpc: "2.0", id: 1, result: { text: "a\ufffdb" } }]);
  });

  it("have one line each", () => {
    const message = { jsonrpc: "2.0" as const, id: 1, result: { text: "a\nb\r\u2028" } };
    expect(frameMessage(message).indexOf("\n")).toBe(frameMessage(message).length - 1);
    expect(read(frameMessage(message)).messages).toEqual([message]);
  });

  it("of a size beyond the bound end the reading", () => {
    const result = { text: "x".repeat(10_000) };
    const line = frameMessage({ jsonrpc: "2.0", id: 1, result });
    expect(() => read(line)).toThrow(/more than 10000 bytes/);
    expect(() => read(line.slice(0, 10_001))).toThrow(/more than 10000 bytes/);
  });

  it("nested beyond the bound end the reading", () => {
    expect(() => read(`{"a":${"[".repeat(512)}\n`)).toThrow(/more than 512 deep/);
    expect(read(`{"a":${"[".repeat(511)}${"]".repeat(511)}}\n`).garbage).toHaveLength(1);
  });
});

describe("the depth of JSON", () => {
  it.each([
    ["[[1]]", 2],
    ['{"a":{}}', 2],
    ['"[[["', 0],
    ['["[[[\\"[[[", "\\\\"]', 1],
    ["[][][]", 1],
    ['["unfinished [[', 1],
    ["]]][", 0],
    ["", 0],
  ])("of %s is %i", (json, depth) => {
    const bytes = Buffer.from(json.padEnd(40));
    expect(isDeeperThan(bytes, depth)).toBe(false);
    if (depth > 0) expect(isDeeperThan(bytes, depth - 1)).toBe(true);
  });
});
