/** Names exactly what a tool says of itself: a definition that changed after a person saw it is another tool. */
import { createHash } from "node:crypto";
import type { Tool } from "@modelcontextprotocol/client";
import canonicalize from "canonicalize";

/** SHA-256 over the canonical JSON (RFC 8785) of the whole definition, as `sha256:…`. */
export function fingerprintTool(tool: Tool): string {
  const hash = createHash("sha256")
    .update(canonicalize(tool) ?? "")
    .digest("hex");
  return `sha256:${hash}`;
}
