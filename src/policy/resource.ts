/** What an effect acts on, as rules name it. */
import { isIP } from "node:net";
import { posix } from "node:path";
import type { TypeAndId } from "./cedar.ts";
import type { Effect, EffectKind } from "./question.ts";

/** The type of the resource of each kind of effect. */
export const resourceTypes: Readonly<Record<EffectKind, string>> = {
  "file-write-back": "Folder",
  "host-command": "Program",
  "network-grant": "Host",
  "network-card": "Card",
  "secret-use": "Secret",
  "mcp-call": "Tool",
  "git-landing": "Repository",
  message: "Channel",
  "policy-change": "Setting",
  spend: "Payee",
};

/** The id of the resource: the folder, the program, the host, the secret, `server.tool`, … */
export function resourceOf(effect: Effect): string {
  switch (effect.kind) {
    case "file-write-back":
      return effect.root;
    case "host-command":
      return effect.argv[0] ?? "";
    case "network-grant":
      return canonicalHost(effect.host);
    case "network-card":
      return effect.nic;
    case "secret-use":
      return effect.secret;
    case "mcp-call":
      return toolId(effect.server, effect.tool);
    case "git-landing":
      return effect.repository;
    case "message":
      return effect.channel;
    case "policy-change":
      return effect.what;
    case "spend":
      return effect.payee;
  }
}

/** What the resource is in: the folders above a folder, the domains above a host, a tool's server. */
export function parentsOf(effect: Effect): readonly TypeAndId[] {
  switch (effect.kind) {
    case "file-write-back":
      return foldersAbove(effect.root).map((id) => ({ type: "Folder", id }));
    case "network-grant":
      return domainsAbove(canonicalHost(effect.host)).map((id) => ({ type: "Host", id }));
    case "mcp-call":
      return [{ type: "Server", id: effect.server }];
    default:
      return [];
  }
}

/** One spelling of a host: names are the same in any case, and with a dot at their end. */
export function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

/** A server whose name holds a dot stands in quotes, lest `a.b` with `c` be `a` with `b.c`. */
function toolId(server: string, tool: string): string {
  return `${/["."]/.test(server) ? JSON.stringify(server) : server}.${tool}`;
}

function foldersAbove(folder: string): readonly string[] {
  const above = posix.dirname(folder);
  return above === folder || above === "." ? [] : [above, ...foldersAbove(above)];
}

function domainsAbove(host: string): readonly string[] {
  const dot = host.indexOf(".");
  if (dot === -1 || isIP(host) !== 0) return [];
  const above = host.slice(dot + 1);
  return [above, ...domainsAbove(above)];
}
