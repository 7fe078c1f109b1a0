/**
 * MCP servers by name: opened where the person says, trusted once where a project brought them, and
 * their tools called over the cliff.
 */
import type { Tool } from "@modelcontextprotocol/client";
import type { EnvelopeDraft } from "../../approvals/envelope.ts";
import type { JsonObject } from "../../approvals/json.ts";
import type { NetworkGrant } from "../../approvals/effect.ts";
import type { Config } from "../../config/config.ts";
import { loadVariable } from "../../config/io-settings.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { ManagedClient } from "../../mcp/client/managed-client.ts";
import type { McpServer } from "../../mcp/client/plan.ts";
import { expandAll, expandText, namesIn } from "../../mcp/config/expand.ts";
import type { Lookup } from "../../mcp/config/expand.ts";
import type { HttpEntry, ServerEntry, StdioEntry } from "../../mcp/config/server-entry.ts";
import { fingerprintTool } from "../../mcp/config/tool-fingerprint.ts";
import type { ToolArguments } from "../../mcp/config/tool-arguments.ts";
import type { Machine } from "../machine.ts";
import { McpLogins } from "./mcp-logins.ts";
import type { LoginWish } from "./mcp-logins.ts";
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

const trustTool = "mcp.trust";

/** Where a server is: what a person trusts in a machine they do not trust on this host. */
type Place = "host" | "machine" | "address";

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

  /**
   * Whether it may be opened without asking: the person's own word, or a yes to exactly this entry at
   * this place.
   */
  async isTrusted({ origin, entry }: NamedServer, onHost: boolean): Promise<boolean> {
    return origin !== "project" || this.memory.isTrusted(entry.digest, placeOf(entry, onHost));
  }

  /** Remembers the yes that `draftTrust` asked for. */
  async trust({ entry }: NamedServer, onHost: boolean, approval: string): Promise<void> {
    await this.memory.trust(entry.digest, placeOf(entry, onHost), approval);
  }

  /**
   * A connected client; whoever opens it closes it. Raises APPROVAL_DENIED for an entry of a project that
   * nobody said yes to, CONFIG_INVALID, and what connecting raises.
   */
  async open(server: NamedServer, options: OpenServerOptions): Promise<ManagedClient> {
    const { entry } = server;
    await this.#needTrust(server, options.onHost);
    const { ManagedClient: Client } = await import("../../mcp/client/managed-client.ts");
    const client = new Client({ name: "luminaguard", version: this.#parts.version });
    const lookup = this.#lookupFor(server);
    const target =
      entry.kind === "http"
        ? await this.#openAddress(entry, lookup, entry.name)
        : await this.#openProgram(entry, lookup, entry.name, options);
    await client.connect(target, options.signal === undefined ? {} : { signal: options.signal });
    return client;
  }

  /** Asks for a project's entry: the card shows all of it, since the yes is for all of it. */
  draftTrust({ entry, file }: NamedServer, run: string, onHost: boolean): EnvelopeDraft {
    const runs = entry.kind === "http" ? {} : { argv: [entry.command, ...entry.args] };
    const place = placeOf(entry, onHost);
    const args = { server: entry.name, file, place, ...runs, entry: entry.whole as JsonObject };
    return {
      ...{ who: "mcp", run, tool: trustTool, args },
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

  /** Raises what `loginAddress` and the login raise, APPROVAL_DENIED for a project's entry unasked. */
  async logIn(
    server: NamedServer,
    wish: Pick<LoginWish, "flow" | "face" | "signal">,
  ): Promise<void> {
    const { entry } = server;
    const url = this.loginAddress(server);
    await this.#needTrust(server, false);
    const oauth = entry.kind === "http" ? entry.oauth : undefined;
    await this.logins.logIn({ ...wish, name: entry.name, url, oauth });
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

  async #needTrust(server: NamedServer, onHost: boolean): Promise<void> {
    if (await this.isTrusted(server, onHost)) return;
    const message = `${server.file} brings ${server.entry.name}: nobody said yes to it`;
    throw new LuminaGuardError("APPROVAL_DENIED", message, {
      hint: "ask with draftTrust first, or name the server in your own mcp.json",
    });
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
      const { stdio } = await import("../../mcp/client/stdio/stdio-dialer.ts");
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
    const { HttpServer } = await import("../../mcp/client/http/http-server.ts");
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

function placeOf({ kind }: ServerEntry, onHost: boolean): Place {
  if (kind === "http") return "address";
  return onHost ? "host" : "machine";
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
