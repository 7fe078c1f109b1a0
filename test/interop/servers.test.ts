/**
 * Real servers of others: each is started, listed, called, a call cancelled, the server killed under a
 * call, started again and called again. `scripts/setup-interop.sh` has run before.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isLuminaGuardError } from "../../src/errors.ts";
import { factsOf } from "../../src/mcp/client/delivery.ts";
import type { ManagedClient } from "../../src/mcp/client/managed-client.ts";
import { makeTempDir } from "../support/make-tree.ts";
import { connect } from "./connect.ts";
import { fillFolder, listServers, whyAbsent } from "./servers.ts";
import type { InteropServer } from "./servers.ts";

const temp = makeTempDir();
const folder = join(temp.path, "servers");
mkdirSync(folder);
fillFolder(folder, writeFileSync);
const servers = listServers(folder);
const rows: Record<string, string | number>[] = [];

afterAll(() => {
  temp[Symbol.dispose]();
  console.table(rows);
});

/** A request over HTTP may still be on its way to the socket when its server is killed. */
const lostCodes = {
  stdio: ["MCP_OUTCOME_UNKNOWN"],
  http: ["MCP_OUTCOME_UNKNOWN", "MCP_TRANSIENT"],
} as const;

/** What the server said, if only that it could not. */
async function ask(client: ManagedClient, server: InteropServer): Promise<string> {
  try {
    const { content } = await client.callTool(server.call);
    return content.map((each) => (each.type === "text" ? each.text : each.type)).join("\n");
  } catch (error) {
    if (isLuminaGuardError(error) && factsOf(error).delivery === "answered") return error.message;
    throw error;
  }
}

/** A call that is under way and cannot end: its server is stopped. */
async function askStopped(
  client: ManagedClient,
  server: InteropServer,
  pid: number,
  signal?: AbortSignal,
): Promise<{ readonly answer: Promise<unknown> }> {
  process.kill(pid, "SIGSTOP");
  const answer = client.callTool(server.call, signal === undefined ? {} : { signal });
  answer.catch(() => undefined);
  // the message leaves in this turn of the loop
  await new Promise((resolve) => setImmediate(resolve));
  return { answer };
}

describe("the client and", () => {
  it("at least twelve servers can be tried, whatever of Python and Go is missing here", () => {
    const present = servers.filter((server) => whyAbsent(server) === undefined);
    expect(present.length).toBeGreaterThanOrEqual(12);
  });

  for (const server of servers) {
    const absent = whyAbsent(server);
    const title = `${server.name} over ${server.transport} get along, through a kill too`;
    it.skipIf(absent !== undefined)(
      absent === undefined ? title : `${title} (${absent})`,
      async () => {
        const begin = performance.now();
        await using connection = await connect(server);
        const { client } = connection;
        const connectedMs = Math.round(performance.now() - begin);
        expect(client.getNegotiatedProtocolVersion()).toBe(server.revision);
        const { tools } = await client.listTools();
        expect(tools).toHaveLength(server.toolCount);
        expect(await ask(client, server)).toMatch(server.answer);

        const abort = new AbortController();
        const cancelled = await askStopped(client, server, connection.pid(), abort.signal);
        const reason = new Error("no longer wanted");
        abort.abort(reason);
        await expect(cancelled.answer).rejects.toBe(reason);
        process.kill(connection.pid(), "SIGCONT");
        expect(await ask(client, server)).toMatch(server.answer);

        const killed = connection.pid();
        const lost = await askStopped(client, server, killed);
        process.kill(killed, "SIGKILL");
        const error: unknown = await lost.answer.catch((each: unknown) => each);
        if (!isLuminaGuardError(error)) throw new Error("it ends in a typed error");
        expect(lostCodes[server.transport]).toContain(error.code);

        await connection.restart();
        expect(await ask(client, server)).toMatch(server.answer);
        expect(connection.pid()).not.toBe(killed);
        rows.push({
          server: server.name,
          transport: server.transport,
          revision: server.revision,
          tools: tools.length,
          "connected in ms": connectedMs,
          "whole in ms": Math.round(performance.now() - begin),
        });
      },
    );
  }
});
