/** `luminaguard mcp` with its commands, in the words of `--help`. */
import type { Command } from "commander";
import { examples, wholeNumber } from "./command-options.ts";
import type { Done } from "./command-options.ts";
import type * as McpCommands from "./commands/mcp.ts";
import type * as LoginCommands from "./commands/mcp-login.ts";
import type { CliIo } from "./io.ts";

type Options = Record<string, unknown>;

export function describeMcp(program: Command, io: CliIo, done: Done): void {
  const mcp = program.command("mcp").description("tools of MCP servers: look, call, log in");
  const load = async (): Promise<typeof McpCommands> => import("./commands/mcp.ts");
  const json = (command: Command): Command => command.option("--json", "print one JSON document");
  const file = (command: Command): Command =>
    command.option("--file <file>", "name servers in this file, instead of mcp.json and .mcp.json");
  const server = (command: Command): Command =>
    json(file(command.argument("<server>", "a server's name"))).option(
      "--on-host",
      "start its program on this host, not in a machine",
    );
  json(file(mcp.command("ls")))
    .summary("the servers named here")
    .description("the servers that can be named here")
    .addHelpText("after", examples([["what is there?", "luminaguard mcp ls"]]))
    .action((options: Options) => done(load().then(({ mcpLs }) => mcpLs(io, options))));
  server(mcp.command("tools"))
    .summary("its tools")
    .description("the tools of a server, each with its arguments")
    .addHelpText("after", examples([["what can it do?", "luminaguard mcp tools github"]]))
    .action((name: string, options: Options) =>
      done(load().then(({ mcpTools }) => mcpTools(io, name, options))),
    );
  server(mcp.command("call"))
    .summary("call a tool")
    .description("call a tool; what you type at a terminal is its approval")
    .argument("<tool>", "the tool's name")
    .argument("[arg...]", "its arguments: key=value, or key:=JSON")
    .option("--args <json>", "all arguments as JSON; @FILE reads a file, - reads stdin")
    .option("--timeout <seconds>", "give up after so long", wholeNumber)
    .addHelpText("after", examples(callExamples))
    .action((name: string, tool: string, words: readonly string[], options: Options) =>
      done(load().then(({ mcpCall }) => mcpCall(io, name, tool, words, options))),
    );
  server(mcp.command("resources"))
    .summary("its resources")
    .description("the resources of a server")
    .addHelpText("after", examples([["what can be read?", "luminaguard mcp resources docs"]]))
    .action((name: string, options: Options) =>
      done(load().then(({ mcpResources }) => mcpResources(io, name, options))),
    );
  server(mcp.command("read"))
    .description("print a resource")
    .argument("<uri>", "the resource's address")
    .addHelpText("after", examples([["one of them", "luminaguard mcp read docs file:///notes.md"]]))
    .action((name: string, uri: string, options: Options) =>
      done(load().then(({ mcpRead }) => mcpRead(io, name, uri, options))),
    );
  server(mcp.command("prompts"))
    .summary("its prompts")
    .description("the prompts of a server")
    .addHelpText("after", examples([["what is offered?", "luminaguard mcp prompts docs"]]))
    .action((name: string, options: Options) =>
      done(load().then(({ mcpPrompts }) => mcpPrompts(io, name, options))),
    );
  server(mcp.command("ping"))
    .summary("is it there?")
    .description("ask a server whether it is there")
    .addHelpText("after", examples([["is it up?", "luminaguard mcp ping github"]]))
    .action((name: string, options: Options) =>
      done(load().then(({ mcpPing }) => mcpPing(io, name, options))),
    );
  describeLogins(mcp, io, done);
}

function describeLogins(mcp: Command, io: CliIo, done: Done): void {
  const load = async (): Promise<typeof LoginCommands> => import("./commands/mcp-login.ts");
  const server = (command: Command): Command =>
    command
      .argument("<server>", "a server's name")
      .option("--file <file>", "name servers in this file, instead of mcp.json and .mcp.json");
  server(mcp.command("login"))
    .summary("log in")
    .description("log in to a server in the browser; the login is kept sealed")
    .option("--device", "on another device, by a code: where this host has no browser")
    .addHelpText("after", examples([["over ssh", "luminaguard mcp login github --device"]]))
    .action((name: string, options: Options) =>
      done(load().then(({ mcpLogin }) => mcpLogin(io, name, options))),
    );
  server(mcp.command("logout"))
    .summary("forget a login")
    .description("end a login at its authorization server, and forget it")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples([["no longer needed", "luminaguard mcp logout github"]]))
    .action((name: string, options: Options) =>
      done(load().then(({ mcpLogout }) => mcpLogout(io, name, options))),
    );
  server(mcp.command("status"))
    .summary("its login and file")
    .description("where a server is named, whether it is trusted, and its login")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples([["am I logged in?", "luminaguard mcp status github"]]))
    .action((name: string, options: Options) =>
      done(load().then(({ mcpStatus }) => mcpStatus(io, name, options))),
    );
}

const callExamples = [
  ["with one argument", "luminaguard mcp call github search_issues query=crash"],
  ["with arguments of any kind", "luminaguard mcp call db run --args '{\"limit\": 5}'"],
] as const;
