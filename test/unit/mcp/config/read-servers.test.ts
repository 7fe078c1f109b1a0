import { describe, expect, it } from "vitest";
import { expandAll, expandText, namesIn } from "../../../../src/mcp/config/expand.ts";
import { readServers } from "../../../../src/mcp/config/read-servers.ts";

const canary = "canary-1b3d";

function read(servers: unknown, isTrusted = true) {
  return readServers(JSON.stringify({ mcpServers: servers }), "servers.json", isTrusted);
}

it("reads what other clients write, and leaves alone what only they know", () => {
  const servers = read({
    files: {
      command: "npx",
      args: ["-y", "server"],
      env: { TOKEN: "${TOKEN}" },
      autoApprove: ["x"],
    },
    web: { type: "http", url: "https://mcp.example/mcp", headers: { "X-Key": "${KEY}" } },
    old: { type: "sse", url: "https://mcp.example/sse" },
  });
  expect(servers.get("files")).toMatchObject({
    kind: "stdio",
    command: "npx",
    args: ["-y", "server"],
    env: { TOKEN: "${TOKEN}" },
  });
  expect(servers.get("web")).toMatchObject({ kind: "http", urls: ["https://mcp.example/mcp"] });
  expect(servers.get("old")).toMatchObject({ transport: "sse" });
});

it("a digest names all that an entry says", () => {
  const digest = (entry: object) => read({ a: entry }).get("a")?.digest;
  const entry = { command: "x", args: ["1"], env: { A: "1" } };
  expect(digest({ env: { A: "1" }, args: ["1"], command: "x" })).toBe(digest(entry));
  for (const change of [{ command: "y" }, { args: ["2"] }, { env: { A: "2" } }, { cwd: "/" }]) {
    expect(digest({ ...entry, ...change })).not.toBe(digest(entry));
  }
});

describe("a project's file", () => {
  const entry = {
    url: "https://mcp.example/mcp",
    luminaguard: { harmless: ["delete_all"], retry: { trustAnnotations: true, attempts: 2 } },
  };

  it("calls no tool harmless and makes no server's word good", () => {
    const own = read({ a: entry }, true).get("a");
    const theirs = read({ a: entry }, false).get("a");
    expect(own?.tools.harmless).toEqual(["delete_all"]);
    expect(theirs?.tools).toEqual({ harmless: [], destructive: [] });
    expect(theirs).toMatchObject({ options: { retry: { trustAnnotations: false, attempts: 2 } } });
  });
});

describe("is refused, without what stands there", () => {
  it.each([
    ["no JSON", `{"a": "${canary}`],
    ["no object", `["${canary}"]`],
    ["a server that is text", `{"mcpServers": {"a": "${canary}"}}`],
    ["a command that is a list", `{"mcpServers": {"a": {"command": ["${canary}"]}}}`],
    [
      "a variable that is a number",
      `{"mcpServers": {"a": {"command": "x", "env": {"${canary}": 1}}}}`,
    ],
    ["neither command nor address", `{"mcpServers": {"a": {"headers": {"k": "${canary}"}}}}`],
    ["both", `{"mcpServers": {"a": {"command": "${canary}", "url": "https://mcp.example"}}}`],
    [
      "a word of ours that is none",
      `{"mcpServers": {"a": {"url": "x", "luminaguard": {"retrys": 1}}}}`,
    ],
  ])("%s", (_name, text) => {
    let raised: unknown;
    try {
      readServers(text, "servers.json", true);
    } catch (error) {
      raised = error;
    }
    expect(raised).toMatchObject({ code: "CONFIG_INVALID" });
    expect(String(raised)).toContain("servers.json");
    if (!text.includes('"env"')) expect(String(raised)).not.toContain(canary);
  });

  it("more servers than anybody has", () => {
    const many = Object.fromEntries(
      Array.from({ length: 501 }, (_, index) => [`s${String(index)}`, { command: "x" }]),
    );
    expect(() => read(many)).toThrow("more than 500");
  });
});

describe("a variable in a value", () => {
  const lookup = (name: string) => ({ TOKEN: "t0" })[name];

  it("is put in, with what stands behind :- where it has no value", () => {
    expect(expandText("Bearer ${TOKEN}", lookup, "a")).toBe("Bearer t0");
    expect(expandText("${NONE:-x}/${TOKEN:-y}", lookup, "a")).toBe("x/t0");
    expect(expandAll({ A: "${TOKEN}", B: "$TOKEN" }, lookup, "a")).toEqual({
      A: "t0",
      B: "$TOKEN",
    });
  });

  it("is not looked for in what was put in", () => {
    expect(expandText("${A}", () => "${TOKEN}", "a")).toBe("${TOKEN}");
  });

  it("that has no value is an error that names it", () => {
    expect(() => expandText("${OTHER}", lookup, "files")).toThrow("files needs ${OTHER}");
  });

  it("is found by name, once", () => {
    expect(namesIn(["${B} ${A}", "${A:-1}"])).toEqual(["A", "B"]);
  });
});
