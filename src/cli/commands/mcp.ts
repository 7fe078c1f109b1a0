/** `luminaguard mcp`: the servers a person can name here, what they offer, and one call of a tool. */
import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { escapeText } from "../../base/escape-text.ts";
import { toHostError } from "../../base/host-error.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { printJson, say, write } from "../io.ts";
import type { CliIo } from "../io.ts";
import { exitCodes } from "../exit-codes.ts";
import { callOverCliff, typedHere } from "../mcp-call.ts";
import { withServer } from "../mcp-session.ts";
import type { ServerOptions } from "../mcp-session.ts";
import { renderContents, renderRows } from "../mcp-text.ts";
import { readArguments, renderArguments } from "../../runtime/mcp/mcp-values.ts";

export interface CallOptions extends ServerOptions {
  readonly args?: string;
  readonly timeout?: number;
}

export async function mcpLs(io: CliIo, { file, json }: ServerOptions): Promise<number> {
  await using lumina = await createLuminaGuard();
  const found = await lumina.mcp.list({ folder: process.cwd(), file });
  const rows = await Promise.all(
    found.map(async (server) => ({
      name: server.entry.name,
      kind: server.entry.kind,
      origin: server.origin,
      file: server.file,
      trusted: await lumina.mcp.isTrusted(server, false),
    })),
  );
  if (json === true) {
    printJson(io, rows);
    return exitCodes.done;
  }
  if (rows.length === 0) say(io, "no MCP servers: docs/mcp.md shows where they are named");
  const shown = rows.map(({ name, kind, origin, trusted }) => {
    const where = origin === "project" ? "this project" : origin === "own" ? "your own" : "given";
    return [name, kind === "http" ? "http" : "program", where, trusted ? "" : "asks first"];
  });
  io.stdout.write(renderRows(shown));
  return exitCodes.done;
}

export async function mcpTools(io: CliIo, name: string, options: ServerOptions): Promise<number> {
  return withServer(io, name, options, async ({ client }) => {
    const { tools } = await client.listTools();
    if (options.json === true) printJson(io, tools);
    for (const tool of options.json === true ? [] : tools) {
      const { title, description = title ?? "" } = tool;
      const [summary = ""] = description.trim().split("\n");
      io.stdout.write(`${escapeText(tool.name)}  ${renderArguments(tool)}\n`);
      if (summary !== "") io.stdout.write(`    ${escapeText(summary).slice(0, io.columns - 4)}\n`);
    }
    return exitCodes.done;
  });
}

export async function mcpCall(
  io: CliIo,
  name: string,
  toolName: string,
  words: readonly string[],
  options: CallOptions,
): Promise<number> {
  const whole = await readWhole(io, options.args);
  return withServer(io, name, options, async (session) => {
    const { client } = session;
    const { tools } = await client.listTools();
    const tool = tools.find((each) => each.name === toolName);
    if (tool === undefined) throw session.noSuchTool(toolName, tools);
    const args = readArguments(tool, words, whole);
    const end = await callOverCliff(session, tool, args, {
      isTyped: typedHere(io, options.json === true),
      timeoutMs: options.timeout === undefined ? undefined : options.timeout * 1000,
    });
    if (end.kind === "refused") {
      if (options.json === true) printJson(io, { refused: end.outcome, reason: end.reason });
      else say(io, `  not called: ${escapeText(end.reason)}`);
      return end.outcome === "unanswerable" ? exitCodes.kept : exitCodes.rejected;
    }
    if (options.json === true) printJson(io, end.result);
    else await write(io.stdout, renderContents(end.result.content, io.stdout.isTTY));
    return end.result.isError === true ? exitCodes.broken : exitCodes.done;
  });
}

export async function mcpResources(
  io: CliIo,
  name: string,
  options: ServerOptions,
): Promise<number> {
  return withServer(io, name, options, async ({ client }) => {
    const { resources } = await client.listResources();
    const { resourceTemplates } = await client.listResourceTemplates();
    if (options.json === true) printJson(io, { resources, resourceTemplates });
    else {
      const plain = resources.map(({ uri, name: title, mimeType = "" }) => [uri, title, mimeType]);
      const made = resourceTemplates.map((each) => [
        each.uriTemplate,
        each.name,
        each.mimeType ?? "",
      ]);
      io.stdout.write(renderRows([...plain, ...made]));
    }
    return exitCodes.done;
  });
}

export async function mcpRead(
  io: CliIo,
  name: string,
  uri: string,
  options: ServerOptions,
): Promise<number> {
  return withServer(io, name, options, async ({ client }) => {
    const { contents } = await client.readResource({ uri });
    if (options.json === true) printJson(io, contents);
    for (const each of options.json === true ? [] : contents) {
      if ("blob" in each) await write(io.stdout, Buffer.from(each.blob, "base64"));
      else
        await write(
          io.stdout,
          renderContents([{ type: "text", text: each.text }], io.stdout.isTTY),
        );
    }
    return exitCodes.done;
  });
}

export async function mcpPrompts(io: CliIo, name: string, options: ServerOptions): Promise<number> {
  return withServer(io, name, options, async ({ client }) => {
    const { prompts } = await client.listPrompts();
    if (options.json === true) printJson(io, prompts);
    else {
      const rows = prompts.map(({ name: prompt, arguments: needed = [], description = "" }) => {
        const words = needed.map((each) => (each.required === true ? each.name : `[${each.name}]`));
        return [prompt, words.join(" "), description.split("\n")[0] ?? ""];
      });
      io.stdout.write(renderRows(rows));
    }
    return exitCodes.done;
  });
}

export async function mcpPing(io: CliIo, name: string, options: ServerOptions): Promise<number> {
  return withServer(io, name, options, async ({ client }) => {
    const startedAt = performance.now();
    await client.ping();
    const ms = performance.now() - startedAt;
    const { name: title = name, version = "" } = client.getServerVersion() ?? {};
    const revision = client.getNegotiatedProtocolVersion() ?? "";
    if (options.json === true) printJson(io, { server: title, version, revision, ms });
    else {
      io.stdout.write(
        `${escapeText(title)} ${escapeText(version)}  ${revision}  ${ms.toFixed(1)} ms\n`,
      );
    }
    return exitCodes.done;
  });
}

/** `--args JSON`, `--args @FILE`, `--args -` for stdin. */
async function readWhole(io: CliIo, args: string | undefined): Promise<string | undefined> {
  if (args === "-") return readAll(io.stdin);
  if (args?.startsWith("@") !== true) return args;
  const path = args.slice(1);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw toHostError(error, `cannot read ${escapeText(path)}`);
  }
}
