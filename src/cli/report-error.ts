/** One line for what happened, one for what to do next. Never a stack, unless it is asked for. */
import { escapeText } from "../base/escape-text.ts";
import { isHostError, toHostError } from "../base/host-error.ts";
import { LuminaGuardError, messageOf } from "../errors.ts";
import { printJson, say } from "./io.ts";
import type { CliIo } from "./io.ts";

export interface ReportOptions {
  readonly json: boolean;
  readonly debug: boolean;
}

export function reportError(io: CliIo, thrown: unknown, { json, debug }: ReportOptions): void {
  // a full disk or a missing right is the host's, wherever it was met
  const error = isHostError(thrown) ? toHostError(thrown, "the host refused") : thrown;
  const known = error instanceof LuminaGuardError;
  const message = escapeText(messageOf(error));
  const hint = known
    ? error.hint
    : "this is a mistake of ours; --debug shows where, please report it";
  if (json) {
    const code = known ? error.code : "INTERNAL";
    printJson(io, { error: { code, message, hint: hint ?? null } });
    return;
  }
  say(io, `${io.style.red("luminaguard:")} ${message}`);
  if (hint !== undefined) say(io, `  ${escapeText(hint)}`);
  if (debug) say(io, renderChain(error));
}

/** The stack and those of its causes. */
function renderChain(error: unknown): string {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error && lines.length < 8; at = at.cause) {
    lines.push(at.stack ?? at.message);
    if (at instanceof LuminaGuardError) lines.push(`  details: ${JSON.stringify(at.details)}`);
  }
  return lines.join("\ncaused by: ");
}
