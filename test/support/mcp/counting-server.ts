/** An MCP server whose tools count how often each call was really carried out. */
import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

/** How often each key was counted, over all replicas that share it. */
export type Ledger = Map<string, number>;

/** @param description what the tool that counts says of itself */
export function createCountingServer(
  ledger: Ledger,
  name = "counting",
  description = "counts",
): McpServer {
  const server = new McpServer({ name, version: "1.0.0" }, { capabilities: { logging: {} } });
  const input = z.object({ key: z.string() });
  const count = ({ key }: { key: string }) => {
    ledger.set(key, (ledger.get(key) ?? 0) + 1);
    return { content: [{ type: "text" as const, text: `${name} counted ${key}` }] };
  };
  server.registerTool("count", { description, inputSchema: input }, count);
  server.registerTool(
    "look",
    { description: "looks", inputSchema: input, annotations: { readOnlyHint: true } },
    count,
  );
  server.registerTool("fail", { description: "fails", inputSchema: z.object({}) }, () => ({
    content: [{ type: "text" as const, text: "it is broken" }],
    isError: true,
  }));
  server.registerTool(
    "hold",
    { description: "waits until it is cancelled", inputSchema: z.object({}) },
    (_args, ctx) =>
      new Promise((_resolve, reject) => {
        ctx.mcpReq.signal.addEventListener("abort", () => reject(new Error("cancelled")));
      }),
  );
  return server;
}
