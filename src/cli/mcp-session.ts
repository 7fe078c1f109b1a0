/** One server, opened for one command: found by name, asked about where a project brought it, closed after. */
import type { Tool } from "@modelcontextprotocol/client";
import { escapeText } from "../base/escape-text.ts";
import { renderDidYouMean } from "../base/nearest.ts";
import { LuminaGuardError } from "../errors.ts";
import { createLuminaGuard } from "../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { ManagedClient, NamedServer } from "../runtime/mcp-values.ts";
import { createRunId } from "../runtime/write-back.ts";
import { askOverCliff } from "./ask-over-cliff.ts";
import { say } from "./io.ts";
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
  if (!(await lumina.mcp.isTrusted(server)))
    await askForTrust(io, lumina, server, run, options, signal);
  const onStderr = (text: string): void => {
    if (!quiet) io.stderr.write(escapeText(text, { keep: "\n\t" }));
  };
  const client = await lumina.mcp.open(server, {
    onHost: options.onHost === true,
    onStderr,
    signal,
  });
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

/** The yes is remembered for exactly this entry. */
async function askForTrust(
  io: CliIo,
  lumina: LuminaGuard,
  server: NamedServer,
  run: string,
  { onHost = false, json = false }: ServerOptions,
  signal: AbortSignal,
): Promise<void> {
  const open = await lumina.approvals.open(process.cwd());
  const draft = lumina.mcp.draftTrust(server, run, onHost);
  const verdict = await askOverCliff(io, lumina, open, draft, { quiet: json, signal });
  if (verdict.outcome !== "allowed") {
    throw new LuminaGuardError(
      "APPROVAL_DENIED",
      `${server.file} brings the server ${escapeText(server.entry.name)}: ${verdict.reason}`,
      { hint: "answer at a terminal, or name the server in your own mcp.json" },
    );
  }
  const { id } = verdict.approval.envelope;
  await open.cliff.execute(id, () => lumina.mcp.memory.trust(server.entry.digest, id));
  if (!json)
    say(io, `  trusted   ${escapeText(server.entry.name)}, as it stands in ${server.file} now`);
}
