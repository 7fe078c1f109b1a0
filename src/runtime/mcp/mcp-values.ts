/** What faces need of the MCP room, so that they import `runtime` and nothing below it. */
export { readArguments, renderArguments } from "../../mcp/config/tool-arguments.ts";
export type { ToolArguments } from "../../mcp/config/tool-arguments.ts";
export { fingerprintTool } from "../../mcp/config/tool-fingerprint.ts";
export type { ManagedClient } from "../../mcp/client/managed-client.ts";
export type { NamedServer } from "./mcp-servers.ts";
