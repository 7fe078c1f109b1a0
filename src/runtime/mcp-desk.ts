/**
 * MCP servers by name: opened where the person says, trusted once where a project brought them, and
 * their tools called over the cliff.
 */
import type { Tool } from "@modelcontextprotocol/client";
import type { EnvelopeDraft } from "../approvals/envelope.ts";
import type { JsonObject } from "../approvals/json.ts";
import type { NetworkGrant } from "../approvals/effect.ts";
import type { Config } from "../config/config.ts";
import { loadVariable } from "../config/io-settings.ts";
import { LuminaGuardError } from "../errors.ts";
import type { ManagedClient } from "../mcp/client/managed-client.ts";
import type { McpServer } from "../mcp/client/plan.ts";
import { expandAll, expandText, namesIn } from "../mcp/config/expand.ts";
import type { Lookup } from "../mcp/config/expand.ts";
import type { HttpEntry, StdioEntry } from "../mcp/config/server-entry.ts";
import { fingerprintTool } from "../mcp/config/tool-fingerprint.ts";
import type { ToolArguments } from "../mcp/config/tool-arguments.ts";
import type { Machine } from "./machine.ts";
import { McpLogins } from "./mcp-logins.ts";
import { McpMemory } from "./mcp-memory.ts";
import { findServer, findServers } from "./mcp-servers.ts";
import type { NamedServer } from "./mcp-servers.ts";

export interface McpDeskParts {
  readonly config: Config;
  readonly version: string;
  readonly spawn: (options: {
    readonly image: string | undefined;
    readonly signal: AbortSignal;
  }) => Promise<Machine>;
}

export interface OpenServerOptions {
  /** start a program on this host instead of in a machine */
  readonly onHost: boolean;
  /** what a program writes to stderr; hostile text */
  readonly onStderr?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface LookOptions {
  /** the folder whose `.mcp.json` is looked at */
  readonly folder: string;
  /** only this file, which the person names */
  readonly file?: string | undefined;
}

export const trustTool = "mcp.trust";

/** variables that a program on the host gets besides its entry's: those the SDK calls safe */
const hostVariables = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"];

export class McpDesk {
  readonly memory: McpMemory;
  readonly logins: McpLogins;
  readonly #parts: McpDeskParts;

  constructor(parts: McpDeskParts) {
    this.#parts = parts;
    this.memory = new McpMemory(parts.config.stateDir);
    this.logins = new McpLogins(parts.config.stateDir);
  }

  list(options: LookOptions): Promise<readonly NamedServer[]> {
    return findServers({ config: this.#parts.config, ...options });
  }

  find(name: string, options: LookOptions): Promise<NamedServer> {
    return findServer(name, { config: this.#parts.config, ...options });
  }

  /** Whether it may be opened without asking: the person's own word, or a yes to exactly this entry. */
  async isTrusted({ origin, entry }: NamedServer): Promise<boolean> {
    return origin !== "project" || this.memory.isTrusted(entry.digest);
  }

  /**
   * A connected client; whoever opens it closes it. Raises APPROVAL_DENIED for an entry of a project that
   * nobody said yes to, CONFIG_INVALID, and what connecting raises.
   */
  async open(server: NamedServer, options: OpenServerOptions): Promise<ManagedClient> {
    const { entry } = server;
    if (!(await this.isTrusted(server))) {
      throw new LuminaGuardError(
        "APPROVAL_DENIED",
        `${server.file} brings ${entry.name}: nobody said yes to it`,
      );
    }
    const { ManagedClient: Client } = await import("../mcp/client/managed-client.ts");
    const client = new Client({ name: "luminaguard", version: this.#parts.version });
    const lookup = this.#lookupFor(server);
    const target =
      entry.kind === "http"
        ? await this.#openAddress(entry, lookup, entry.name)
        : await this.#openProgram(entry, lookup, entry.name, options);
    await client.connect(target, options.signal === undefined ? {} : { signal: options.signal });
    return client;
  }

  /** Asks for a project's entry: what the card shows is what its digest names. */
  draftTrust({ entry, file }: NamedServer, run: string, onHost: boolean): EnvelopeDraft {
    const shown =
      entry.kind === "http"
        ? { urls: entry.urls, headers: entry.headers }
        : {
            argv: [entry.command, ...entry.args],
            env: entry.env,
            where: onHost ? "host" : "machine",
          };
    const args = { server: entry.name, file, digest: entry.digest, ...shown };
    return {
      ...{ who: "mcp", run, tool: trustTool, args: args },
      taint: { tainted: true, sources: [file] },
      effects: [
        { kind: "policy-change", what: "grant", isWider: true },
        ...(entry.kind === "http" ? entry.urls.map(contactOf) : []),
      ],
    };
  }

  /** Asks for one call, with what the host knows of the tool. */
  async draftCall(
    { entry }: NamedServer,
    tool: Tool,
    args: ToolArguments,
    asker: { readonly who: string; readonly run: string; readonly isTyped: boolean },
  ): Promise<EnvelopeDraft> {
    const { harmless, destructive } = entry.tools;
    const saysWorse = tool.annotations?.destructiveHint === true;
    const isWorse = destructive.includes(tool.name) || saysWorse;
    const fingerprint = fingerprintTool(tool);
    const id = `${entry.name}.${tool.name}`;
    return {
      ...{ who: asker.who, run: asker.run, tool: id, args: { ...args } as JsonObject },
      toolFingerprint: fingerprint,
      taint: asker.isTyped
        ? { tainted: false, sources: [] }
        : { tainted: true, sources: ["unknown"] },
      effects: [
        {
          kind: "mcp-call",
          server: entry.name,
          tool: tool.name,
          harm: isWorse ? "destructive" : harmless.includes(tool.name) ? "harmless" : "unknown",
          isFirstCall: !(await this.memory.knowsTool(id, fingerprint)),
        },
      ],
    };
  }

  /** The address that a login is for. Raises USAGE for a program, CONFIG_INVALID. */
  loginAddress(server: NamedServer): URL {
    const { entry } = server;
    const [url] = entry.kind === "http" ? entry.urls : [];
    if (url === undefined) {
      throw new LuminaGuardError("USAGE", `${entry.name} is a program: nobody logs in to it`, {
        hint: 'give it what it needs as variables: "env" in its entry',
      });
    }
    return new URL(expandText(url, this.#lookupFor(server), entry.name));
  }

  async #openProgram(
    entry: StdioEntry,
    lookup: Lookup,
    name: string,
    { onHost, onStderr }: OpenServerOptions,
  ): Promise<McpServer> {
    const env = expandAll(entry.env, lookup, name);
    const args = entry.args.map((each) => expandText(each, lookup, name));
    const command = expandText(entry.command, lookup, name);
    if (onHost) {
      const { stdio } = await import("../mcp/client/stdio/stdio-dialer.ts");
      const onStderrLine = onStderr && ((line: string): void => onStderr(`${line}\n`));
      return stdio({
        command,
        args,
        env: { ...hostEnvironment(), ...env },
        cwd: entry.cwd,
        onStderrLine,
      });
    }
    const { inMachine } = await import("./mcp-machine.ts");
    const { config, spawn } = this.#parts;
    const { searchPath } = config;
    const spawnOne = (signal: AbortSignal): Promise<Machine> =>
      spawn({ image: entry.image, signal });
    return inMachine({ name, command, args, env, searchPath, spawn: spawnOne, onStderr });
  }

  async #openAddress(entry: HttpEntry, lookup: Lookup, name: string): Promise<McpServer> {
    const { HttpServer } = await import("../mcp/client/http/http-server.ts");
    const headers = expandAll(entry.headers, lookup, name);
    const endpoints = entry.urls.map((url) => ({ url: expandText(url, lookup, name) }));
    const { options, transport } = entry;
    const server = new HttpServer({ ...options, endpoints, headers, transport });
    const hasOwn = Object.keys(headers).some((each) => each.toLowerCase() === "authorization");
    return hasOwn ? server : server.withAuth(await this.logins.authorizeFor(name, entry.oauth));
  }

  /** A project's file gets only the variables its reader listed. */
  #lookupFor({ origin }: NamedServer): Lookup {
    if (origin !== "project") return loadVariable;
    const listed = this.#parts.config.mcpVariables.split(",").map((name) => name.trim());
    return (name) => (listed.includes(name) ? loadVariable(name) : undefined);
  }
}

function hostEnvironment(): Readonly<Record<string, string>> {
  const found = hostVariables.map((name) => [name, loadVariable(name)] as const);
  return Object.fromEntries(
    found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  );
}

function contactOf(url: string): NetworkGrant {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain = parsed?.protocol === "http:";
  const port =
    parsed?.port === "" || parsed === undefined ? (isPlain ? 80 : 443) : Number(parsed.port);
  // an address that is put together from variables is shown as it is written
  const host = parsed === undefined || namesIn([url]).length > 0 ? url : parsed.hostname;
  return { kind: "network-grant", host, port, methods: ["POST"], isFirstContact: true };
}
