/** Names exactly what a tool says of itself: a definition that changed after a person saw it is another tool. */
import type { Tool } from "@modelcontextprotocol/client";
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { digestJson } from "./digest-json.ts";

/** Over the whole definition, as `sha256:…`. Raises MCP_PROTOCOL for one that cannot be named. */
export function fingerprintTool(tool: Tool): string {
  const digest = digestJson(tool);
  if (digest !== undefined) return `sha256:${digest}`;
  const message = `the tool ${escapeText(tool.name)} is defined by text that is no Unicode, or too deep`;
  throw new LuminaGuardError("MCP_PROTOCOL", message, { hint: "its server must mend it" });
}
