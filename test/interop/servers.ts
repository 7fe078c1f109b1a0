/** Public MCP servers, each pinned in its own lock, and what each is asked. None needs a network. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StdioServer } from "../../src/mcp/client/stdio/stdio-transport.ts";

export interface InteropServer {
  readonly name: string;
  readonly transport: "stdio" | "http";
  /** the revision it and the client agree on */
  readonly revision: "2026-07-28" | "2025-11-25" | "2024-11-05";
  readonly toolCount: number;
  readonly call: { readonly name: string; readonly arguments: Record<string, unknown> };
  /** in the text it answers with; an error of its own where it would need a network */
  readonly answer: RegExp;
  readonly program: StdioServer;
  /** where its HTTP endpoint is, on loopback */
  readonly path?: string;
}

const here = import.meta.dirname;
const cache = join(here, "../../.cache/interop");

/** @param folder for what the servers read and write */
export function listServers(folder: string): readonly InteropServer[] {
  return [...npmServers(folder), ...pythonServers(folder), ...goServers(folder)];
}

/** Why a server cannot be tried, if it cannot: Python or Go was too old when they were set up. */
export function whyAbsent({ program }: InteropServer): string | undefined {
  return existsSync(program.command) ? undefined : "scripts/setup-interop.sh skipped it";
}

function npmServers(folder: string): InteropServer[] {
  const env = {
    PATH: process.env["PATH"] ?? "/usr/bin",
    HOME: folder,
    NODE_OPTIONS: `--import file://${join(here, "../fixtures/mcp/offline.mjs")}`,
  };
  const npm = (
    name: string,
    about: Omit<InteropServer, "name" | "program" | "transport" | "revision"> &
      Partial<InteropServer>,
    ...args: readonly string[]
  ): InteropServer => ({
    name,
    transport: "stdio",
    revision: "2025-11-25",
    program: { command: process.execPath, args: [binOf(name), ...args], env, cwd: folder },
    ...about,
  });
  const echo = {
    toolCount: 13,
    call: { name: "echo", arguments: { message: "hello" } },
    answer: /Echo: hello/,
  };
  return [
    npm("@modelcontextprotocol/server-everything", echo),
    npm(
      "@modelcontextprotocol/server-everything",
      { ...echo, transport: "http", path: "/mcp" },
      "streamableHttp",
    ),
    npm(
      "@modelcontextprotocol/server-filesystem",
      {
        toolCount: 14,
        call: { name: "read_text_file", arguments: { path: join(folder, "note.txt") } },
        answer: /a note/,
      },
      folder,
    ),
    npm("@modelcontextprotocol/server-memory", {
      toolCount: 9,
      call: { name: "read_graph", arguments: {} },
      answer: /"entities"/,
    }),
    npm("@modelcontextprotocol/server-sequential-thinking", {
      toolCount: 1,
      call: {
        name: "sequentialthinking",
        arguments: { thought: "so", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false },
      },
      answer: /"thoughtNumber": 1/,
    }),
    npm("@cyanheads/git-mcp-server", {
      toolCount: 28,
      call: { name: "git_status", arguments: { path: folder } },
      answer: /note\.txt/,
    }),
    npm("mcp-server-commands", {
      revision: "2024-11-05",
      toolCount: 1,
      call: { name: "run_command", arguments: { command: "echo $((6 * 7))" } },
      answer: /42/,
    }),
    npm("@upstash/context7-mcp", {
      revision: "2026-07-28",
      toolCount: 2,
      call: { name: "resolve-library-id", arguments: { query: "hooks", libraryName: "react" } },
      answer: /fetch failed|Error/,
    }),
    npm("@modelcontextprotocol/server-github", {
      revision: "2024-11-05",
      toolCount: 26,
      call: { name: "search_repositories", arguments: { query: "mcp" } },
      answer: /ENOTFOUND|fetch failed/,
    }),
    npm("@antv/mcp-server-chart", {
      toolCount: 27,
      call: { name: "generate_pie_chart", arguments: { data: [{ category: "a", value: 1 }] } },
      answer: /ENOTFOUND/,
    }),
    npm("mcp-fetch-server", {
      toolCount: 6,
      call: { name: "fetch_txt", arguments: { url: "https://mirror.example/" } },
      answer: /fail|ENOTFOUND/i,
    }),
    npm("mcp-server-code-runner", {
      toolCount: 1,
      call: {
        name: "run-code",
        arguments: { languageId: "javascript", code: "console.log(6 * 7)" },
      },
      answer: /42/,
    }),
    npm(
      "@modelcontextprotocol/server-map",
      {
        toolCount: 2,
        call: { name: "show-map", arguments: {} },
        answer: /^Displaying globe/,
      },
      "--stdio",
    ),
  ];
}

function pythonServers(folder: string): InteropServer[] {
  const bin = join(cache, "python/bin");
  return [
    {
      name: "mcp-server-time (Python)",
      transport: "stdio",
      revision: "2026-07-28",
      toolCount: 2,
      call: { name: "get_current_time", arguments: { timezone: "Etc/UTC" } },
      answer: /Etc\/UTC/,
      program: { command: join(bin, "mcp-server-time"), env: { PATH: bin }, cwd: folder },
    },
  ];
}

function goServers(folder: string): InteropServer[] {
  const go = (name: string): StdioServer => ({
    command: join(cache, "bin", name),
    env: {},
    cwd: folder,
  });
  return [
    {
      name: "go-sdk everything (Go)",
      transport: "stdio",
      revision: "2026-07-28",
      toolCount: 10,
      call: { name: "greet", arguments: { name: "Ada" } },
      answer: /Hi Ada/,
      program: go("go-sdk-everything"),
    },
    {
      name: "mcp-go everything (Go)",
      transport: "stdio",
      revision: "2026-07-28",
      toolCount: 6,
      call: { name: "echo", arguments: { message: "hello" } },
      answer: /Echo: hello/,
      program: go("mcp-go-everything"),
    },
  ];
}

/** The program an npm package runs as. */
function binOf(name: string): string {
  const folder = join(here, "node_modules", name);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    bin: string | Record<string, string>;
  };
  const [path = ""] = typeof bin === "string" ? [bin] : Object.values(bin);
  return join(folder, path);
}

/** What the servers find: a repository with a note that is not in it yet. */
export function fillFolder(folder: string, writeFile: (path: string, text: string) => void): void {
  execFileSync("git", ["init", "--quiet", folder]);
  writeFile(join(folder, "note.txt"), "a note\n");
}
