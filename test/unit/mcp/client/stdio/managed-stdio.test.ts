/** The managed client over a program on this host: what it survives, and what it says of the rest. */
import { afterEach, describe, expect, it } from "vitest";
import { ManagedClient } from "../../../../../src/mcp/client/managed-client.ts";
import type { StdioEvent } from "../../../../../src/mcp/client/stdio/stdio-connector.ts";
import { stdio } from "../../../../../src/mcp/client/stdio/stdio-dialer.ts";
import type { StdioServerOptions } from "../../../../../src/mcp/client/stdio/stdio-dialer.ts";
import type { StdioServer } from "../../../../../src/mcp/client/stdio/stdio-transport.ts";
import { scriptedServer, sdkServer } from "../../../../support/mcp/servers.ts";

const clients: ManagedClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

async function connect(
  server: StdioServer,
  options: Partial<StdioServerOptions> = {},
): Promise<{ client: ManagedClient; events: StdioEvent[] }> {
  const client = new ManagedClient({ name: "test", version: "1" });
  clients.push(client);
  const events: StdioEvent[] = [];
  const onEvent = (event: StdioEvent): void => void events.push(event);
  await client.connect(stdio({ ...server, graceMs: 200, onEvent, ...options }));
  return { client, events };
}

async function ask(client: ManagedClient, name: string, idempotent = false): Promise<string> {
  const { content } = await client.callTool({ name, arguments: { words: "hi" } }, { idempotent });
  const [first] = content;
  return first?.type === "text" ? first.text : "";
}

const starts = (events: readonly StdioEvent[]): number =>
  events.filter(({ kind }) => kind === "started").length;

describe("a managed client over stdio", () => {
  it.each([
    ["modern", sdkServer()],
    ["legacy", scriptedServer("exits-on-unknown")],
  ])("calls a %s server, and calls it again after it was killed", async (_era, server) => {
    const { client, events } = await connect(server, { totalMs: 20_000, dialMs: 20_000 });
    const first = await ask(client, "pid");
    const before = starts(events);
    expect(Number(first)).toBeGreaterThan(1);
    process.kill(Number(first), "SIGKILL");
    const second = await ask(client, "pid", true);
    expect(second).not.toBe(first);
    // what was learnt of its era saves the question
    expect(starts(events)).toBe(before + 1);
  });

  it("says that an outcome is unknown when the server died of the call", async () => {
    const { client } = await connect(scriptedServer());
    await expect(ask(client, "crash")).rejects.toMatchObject({ code: "MCP_OUTCOME_UNKNOWN" });
    expect(await ask(client, "echo")).toBe("hi");
  });

  it("gives up on a server that cannot start, and leaves nothing behind", async () => {
    const connecting = connect(scriptedServer("dies-at-start"), { restart: { initialMs: 1 } });
    await expect(connecting).rejects.toMatchObject({
      code: "MCP_TRANSIENT",
      message: expect.stringContaining("exit code 3: cannot open the") as string,
    });
    const missing = connect({ command: "no-such-server", env: {} });
    await expect(missing).rejects.toMatchObject({ code: "TOOL_MISSING" });
  });
});
