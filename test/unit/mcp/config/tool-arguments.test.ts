import type { Tool } from "@modelcontextprotocol/client";
import { describe, expect, it } from "vitest";
import { readArguments, renderArguments } from "../../../../src/mcp/config/tool-arguments.ts";

const tool: Tool = {
  name: "search",
  inputSchema: {
    type: "object",
    properties: {
      query: { type: "string" },
      limit: { type: "integer", minimum: 1 },
      exact: { type: "boolean" },
      tags: { type: "array", items: { type: "string" } },
    },
    required: ["query"],
  },
};

it("reads each value as the tool's schema wants it", () => {
  const words = ["query=42", "limit=5", "exact=true", 'tags=["a","b"]'];
  expect(readArguments(tool, words, undefined)).toEqual({
    query: "42",
    limit: 5,
    exact: true,
    tags: ["a", "b"],
  });
});

it("takes JSON behind :=, and all of it as one document", () => {
  expect(readArguments(tool, ["limit:=7"], '{"query": "a=b"}')).toEqual({ query: "a=b", limit: 7 });
});

it("keeps = and : within a value", () => {
  expect(readArguments(tool, ["query=a=b:=c"], undefined)).toEqual({ query: "a=b:=c" });
});

describe("is told what is wrong", () => {
  it.each([
    [["query"], "query is not an argument", "key=value"],
    [[], "search needs query", "add query=…"],
    [["query=a", "limt=5"], "no argument limt", 'did you mean "limit"?'],
    [["query=a", "limit=0"], "search: ", "query=string [limit=integer]"],
    [["query=a", "limit=many"], "search: ", ""],
    [["query=a", "limit:=many"], "limit is not JSON", ""],
  ])("%j", (words, message, hint) => {
    let raised: unknown;
    try {
      readArguments(tool, words, undefined);
    } catch (error) {
      raised = error;
    }
    expect(raised).toMatchObject({ code: "USAGE" });
    expect(String(raised)).toContain(message);
    expect((raised as { hint?: string }).hint ?? "").toContain(hint);
  });

  it("when the document is no object", () => {
    expect(() => readArguments(tool, [], "[1]")).toThrow("--args is not a JSON object");
  });
});

it("leaves a schema that nobody can read to the server", () => {
  const odd: Tool = { name: "odd", inputSchema: { type: "object", $ref: "#/nowhere" } };
  expect(readArguments(odd, ["a=1"], undefined)).toEqual({ a: "1" });
});

it("lists what must be given first", () => {
  expect(renderArguments(tool)).toBe("query=string [limit=integer] [exact=boolean] [tags=array]");
});
