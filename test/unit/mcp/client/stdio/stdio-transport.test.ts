import { SdkErrorCode } from "@modelcontextprotocol/client";
import type { Client } from "@modelcontextprotocol/client";
import { afterEach, describe, expect, it } from "vitest";
import { StdioTransport } from "../../../../../src/mcp/client/stdio/stdio-transport.ts";
import type {
  StdioServer,
  StdioTransportOptions,
} from "../../../../../src/mcp/client/stdio/stdio-transport.ts";
import { killProcess } from "../../../../../src/process/child.ts";
import { eventually } from "../../../../support/eventually.ts";
import { areGone, listFamily } from "../../../../support/host-process.ts";
import {
  callForText,
  createClient,
  scriptedServer,
  sdkServer,
} from "../../../../support/mcp/servers.ts";

const open: StdioTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

function createTransport(
  server: StdioServer,
  options: Partial<StdioTransportOptions> = {},
): StdioTransport {
  const transport = new StdioTransport({ ...server, graceMs: 200, ...options });
  open.push(transport);
  return transport;
}

interface Connected {
  readonly client: Client;
  readonly transport: StdioTransport;
  readonly errors: Error[];
}

async function connect(
  server: StdioServer,
  options: Partial<StdioTransportOptions> = {},
): Promise<Connected> {
  const transport = createTransport(server, options);
  const client = createClient();
  const errors: Error[] = [];
  client.onerror = (error) => errors.push(error);
  await client.connect(transport);
  return { client, transport, errors };
}

const connectionClosed = { code: SdkErrorCode.ConnectionClosed };

describe("a server over stdio", () => {
  it("of today is found to be modern and called", async () => {
    const { client, transport } = await connect(sdkServer());
    expect(client.getProtocolEra()).toBe("modern");
    expect(await callForText(client, "echo", { words: "hé\u2028llo" })).toBe("hé\u2028llo");
    expect(await callForText(client, "pid")).toBe(String(transport.pid));
    expect(transport.stderr).toBeNull();
  });

  it("of yesterday is found to be legacy on the same connection", async () => {
    const { client, transport } = await connect(scriptedServer());
    expect(client.getProtocolEra()).toBe("legacy");
    expect(await callForText(client, "pid")).toBe(String(transport.pid));
  });

  it("gets the environment it is given and starts in its folder", async () => {
    const env = { ...scriptedServer().env, ONLY: "this" };
    const { client } = await connect({ ...scriptedServer(), env, cwd: "/usr" });
    expect(JSON.parse(await callForText(client, "environment"))).toEqual(env);
    expect(await callForText(client, "folder")).toBe("/usr");
  });

  it("carries many calls at once, and messages of any size below the bound", async () => {
    const { client } = await connect(scriptedServer());
    const words = Array.from({ length: 200 }, (_, at) => `${at} ${"z".repeat(at * 40)}`);
    const said = await Promise.all(
      words.map((each) => callForText(client, "echo", { words: each })),
    );
    expect(said).toEqual(words);
    expect(await callForText(client, "large", { bytes: 3_000_000 })).toHaveLength(3_000_000);
    const long = "w".repeat(3_000_000); // more than a pipe holds
    expect(await callForText(client, "echo", { words: long })).toBe(long);
  });

  it("may flood stderr, of which a tail is kept", async () => {
    const lines: string[] = [];
    const { client, transport } = await connect(scriptedServer(), {
      onStderrLine: (line) => lines.push(line),
    });
    expect(await callForText(client, "flood-stderr")).toBe("flooded");
    await eventually("all lines", () => lines.length === 20_000);
    expect(transport.stderrTail()).toHaveLength(4096);
    expect(transport.stderrTail()).toContain("line 19999 x");
  });

  it("that writes garbage is understood all the same, and the garbage reported", async () => {
    const { client, errors } = await connect(scriptedServer("garbage"));
    expect(await callForText(client, "echo", { words: "still here" })).toBe("still here");
    expect(errors.map(({ message }) => message)).toEqual([]); // those came before the client did
    const transport = createTransport(scriptedServer("garbage"));
    const seen: Error[] = [];
    transport.onerror = (error) => seen.push(error);
    await transport.start();
    await eventually("its garbage", () => seen.length === 4);
    expect(seen[3]).toMatchObject({ code: "MCP_PROTOCOL" });
    expect(seen[3]?.message).toMatch(/no JSON-RPC message: \\x00\\x1b\[2J$/);
  });

  it("that answers with what is no answer ends that call alone, at once", async () => {
    const { client, errors } = await connect(scriptedServer());
    await expect(callForText(client, "bad-answer")).rejects.toMatchObject({ code: -32603 });
    expect(errors).toMatchObject([{ code: "MCP_PROTOCOL" }]);
    expect(await callForText(client, "echo", { words: "on" })).toBe("on");
  });

  it.each([
    ["flood-stdout", /more than 1000000 bytes: x{120}$/],
    ["deep", /nested more than 512 deep/],
  ])("that breaks a bound (%s) is ended, and every call with it", async (tool, words) => {
    const { client, transport, errors } = await connect(scriptedServer(), {
      messageBytesMax: 1_000_000,
    });
    const hanging = callForText(client, "hang");
    await expect(callForText(client, tool)).rejects.toMatchObject(connectionClosed);
    await expect(hanging).rejects.toMatchObject(connectionClosed);
    expect(errors.at(-1)?.message).toMatch(words);
    expect(errors.at(-1)).toMatchObject({ code: "MCP_PROTOCOL" });
    await transport.closed;
  });

  it.each(["crash", "die-mid-message"])("that dies (%s) ends what is in flight", async (tool) => {
    const { client, transport } = await connect(scriptedServer());
    const hanging = callForText(client, "hang");
    await expect(callForText(client, tool)).rejects.toMatchObject(connectionClosed);
    await expect(hanging).rejects.toMatchObject(connectionClosed);
    expect((await transport.closed)?.exitCode).toBe(tool === "crash" ? 7 : 9);
    await expect(transport.send({ jsonrpc: "2.0", method: "late" })).rejects.toMatchObject({
      code: "MCP_TRANSIENT",
    });
  });

  it("that is killed ends what is in flight, and its group", async () => {
    const { client, transport } = await connect(scriptedServer("forks"));
    const family = await listFamily(transport.pid!);
    expect(family).toHaveLength(2);
    const hanging = callForText(client, "hang");
    killProcess(transport.pid!);
    await expect(hanging).rejects.toMatchObject(connectionClosed);
    await areGone(family, 2_000);
  });

  it("that answers and exits is heard to its last word", async () => {
    const { client, transport } = await connect(scriptedServer());
    expect(await callForText(client, "answer-and-exit")).toBe("last words");
    expect(await transport.closed).toEqual({ exitCode: 0, signal: null });
  });

  it("that closes its input and stays is ended when it is asked something", async () => {
    const script = "exec 0<&-; echo deaf >&2; sleep 600";
    const server = { ...scriptedServer(), command: "sh", args: ["-c", script] };
    const transport = createTransport(server);
    const errors: Error[] = [];
    transport.onerror = (error) => errors.push(error);
    await transport.start();
    await eventually("it is deaf", () => transport.stderrTail() === "deaf\n");
    await transport.send({ jsonrpc: "2.0", id: 1, method: "ping" });
    expect(await transport.closed).toMatchObject({ signal: "SIGTERM" });
    expect(errors).toMatchObject([{ code: "EPIPE" }]);
  });

  it("that does not read makes senders wait, and then is sent no more", async () => {
    const transport = createTransport(scriptedServer("never-reads"));
    await transport.start();
    const params = { padding: "p".repeat(9_000_000) };
    const message = { jsonrpc: "2.0" as const, method: "notifications/x", params };
    const sends = Array.from({ length: 8 }, () => transport.send(message));
    const ends = Promise.allSettled(sends);
    await expect(sends[7]).rejects.toMatchObject({ code: "MCP_TRANSIENT" });
    await transport.close();
    const reasons = (await ends).map((end): unknown =>
      end.status === "rejected" ? end.reason : "sent",
    );
    expect(reasons).toMatchObject([
      ...Array<object>(4).fill({ details: { delivery: "maybe" } }),
      ...Array<object>(4).fill({ details: { delivery: "never" } }),
    ]);
  });

  it.each([
    ["forks", "SIGTERM"],
    ["leaves-group", "SIGTERM"],
    ["ignores-sigterm", "SIGKILL"],
  ])("that stays (%s) is ended with all it started: %s", async (way, signal) => {
    const { client, transport } = await connect(scriptedServer(way, "ignores-end"));
    const family = await listFamily(transport.pid!);
    const hanging = callForText(client, "hang");
    hanging.catch(() => undefined);
    await eventually("it was asked", () => transport.stderrTail().includes("hanging"));
    const closing = client.close();
    await expect(hanging).rejects.toMatchObject(connectionClosed);
    await closing;
    expect((await transport.closed)?.signal).toBe(signal);
    if (way === "leaves-group") killProcess(family[1]!.pid);
    await areGone(family, 2_000);
  });

  it("that is closed while it starts is ended too", async () => {
    const transport = createTransport(scriptedServer("ignores-end"));
    let closes = 0;
    transport.onclose = () => (closes += 1);
    const starting = transport.start();
    await transport.close();
    await starting;
    expect(closes).toBe(1);
    expect(await transport.closed).toMatchObject({ signal: "SIGTERM" });
  });

  it("that is not there is no transport", async () => {
    const transport = createTransport({ command: "no-such-server", env: {} });
    await expect(createClient().connect(transport)).rejects.toMatchObject({ code: "TOOL_MISSING" });
    expect(transport.pid).toBeNull();
  });
});
