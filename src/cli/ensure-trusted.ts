/** A server that a project brings is asked about before anything of it is started or spoken to. */
import { escapeText } from "../base/escape-text.ts";
import { LuminaGuardError } from "../errors.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { NamedServer } from "../runtime/mcp/mcp-values.ts";
import { askOverCliff } from "./ask-over-cliff.ts";
import { say } from "./io.ts";
import type { CliIo } from "./io.ts";
import { findKeyboard } from "./keyboard.ts";

export interface TrustQuestion {
  readonly run: string;
  readonly onHost: boolean;
  /** nobody is asked here */
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

/** The yes is remembered for exactly this entry. Raises APPROVAL_DENIED. */
export async function ensureTrusted(
  io: CliIo,
  lumina: LuminaGuard,
  server: NamedServer,
  { run, onHost, quiet, signal }: TrustQuestion,
): Promise<void> {
  const { mcp } = lumina;
  if (await mcp.isTrusted(server, onHost)) return;
  const open = await lumina.approvals.open(process.cwd());
  using keyboard = findKeyboard(io, quiet);
  const draft = mcp.draftTrust(server, run, onHost);
  const { verdict } = await askOverCliff({ io, lumina, open, keyboard, signal }, draft);
  const name = escapeText(server.entry.name);
  if (verdict.outcome !== "allowed") {
    const message = `${server.file} brings the server ${name}: ${verdict.reason}`;
    throw new LuminaGuardError("APPROVAL_DENIED", message, {
      hint: "answer at a terminal, or name the server in your own mcp.json",
    });
  }
  const { id } = verdict.approval.envelope;
  await open.cliff.execute(id, () => mcp.trust(server, onHost, id));
  if (!quiet) say(io, `  trusted   ${name}, as it stands in ${server.file} now`);
}
