/** Little MCP servers of test/fixtures/mcp/, as children. */
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import type { ClientOptions } from "@modelcontextprotocol/client";
import type { StdioServer } from "../../../src/mcp/client/stdio/stdio-transport.ts";

const folder = join(import.meta.dirname, "../../fixtures/mcp");

/** enough for node to be found */
export const serverEnv: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "/usr/bin",
};

/** @param ways how it misbehaves: see the fixture */
export function scriptedServer(...ways: readonly string[]): StdioServer {
  const args = [join(folder, "scripted-server.mjs"), ...ways];
  return { command: process.execPath, args, env: serverEnv };
}

export function sdkServer(): StdioServer {
  return { command: process.execPath, args: [join(folder, "sdk-server.mjs")], env: serverEnv };
}

/** @param options by default it asks which era the server is of */
export function createClient(options: ClientOptions = {}): Client {
  return new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: "auto" }, ...options },
  );
}

/** The text a tool answers with. */
export async function callForText(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args });
  const [first] = content;
  if (first?.type !== "text") throw new Error("the answer is a text");
  return first.text;
}
