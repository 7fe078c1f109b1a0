/** One server, opened for one command: found by name, asked about where a project brought it, closed after. */
import type { Tool } from "@modelcontextprotocol/client";
import { escapeText } from "../base/escape-text.ts";
import { renderDidYouMean } from "../base/nearest.ts";
import { LuminaGuardError } from "../errors.ts";
import { createLuminaGuard } from "../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { ManagedClient, NamedServer } from "../runtime/mcp/mcp-values.ts";
import { createRunId } from "../runtime/cliff/write-back.ts";
import { ensureTrusted } from "./ensure-trusted.ts";
import type { CliIo } from "./io.ts";
import { watchSignals } from "./signals.ts";

export interface ServerOptions {
  /** only this file of servers */
  readonly file?: string;
  readonly onHost?: boolean;
  readonly json?: boolean;
}

export interface Session {
  readonly io: CliIo;
  readonly lumina: LuminaGuard;
  readonly server: NamedServer;
  readonly client: ManagedClient;
  /** names this command in the record */
  readonly run: string;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  readonly noSuchTool: (name: string, tools: readonly Tool[]) => LuminaGuardError;
}

/** Raises CONFIG_INVALID, APPROVAL_DENIED, and what connecting and the use raise. */
export async function withServer(
  io: CliIo,
  name: string,
  options: ServerOptions,
  use: (session: Session) => Promise<number>,
): Promise<number> {
  using signals = watchSignals(io);
  const { signal } = signals;
  await using lumina = await createLuminaGuard();
  const run = createRunId();
  const server = await lumina.mcp.find(name, { folder: process.cwd(), file: options.file });
  const quiet = options.json === true;
  const onHost = options.onHost === true;
  await ensureTrusted(io, lumina, server, { run, onHost, quiet, signal });
  const onStderr = (text: string): void => {
    if (!quiet) io.stderr.write(escapeText(text, { keep: "\n\t" }));
  };
  const client = await lumina.mcp.open(server, { onHost, onStderr, signal });
  try {
    const noSuchTool = (wanted: string, tools: readonly Tool[]): LuminaGuardError => {
      const near = renderDidYouMean(
        wanted,
        tools.map((each) => each.name),
      );
      return new LuminaGuardError("USAGE", `${name} has no tool ${escapeText(wanted)}`, {
        hint: near ?? `luminaguard mcp tools ${name}  shows what it has`,
      });
    };
    return await use({ io, lumina, server, client, run, quiet, signal, noSuchTool });
  } finally {
    await client.close();
  }
}
