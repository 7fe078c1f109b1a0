/** `luminaguard audit`: what was asked, decided, executed and started, and whether that is still so. */
import { escapeText } from "../../base/escape-text.ts";
import { isLuminaGuardError, LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { VerifiedChain } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say, write } from "../io.ts";
import type { CliIo } from "../io.ts";
import { reportError } from "../report-error.ts";

interface ShowOptions {
  readonly kind?: string;
  readonly subject?: string;
  readonly since?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

export async function auditShow(io: CliIo, options: ShowOptions): Promise<number> {
  const { kind, subject, since, limit, json } = options;
  await using lumina = await createLuminaGuard();
  const records = await lumina.audit.show({ kind, subject, limit, since: parseSince(since) });
  if (json === true) {
    printJson(io, records);
    return exitCodes.done;
  }
  if (records.length === 0) say(io, "no records");
  for (const { seq, at, kind: what, subject: whom, facts } of records) {
    const line = `${seq}  ${at.slice(0, 19).replace("T", " ")}  ${what}  ${whom ?? "-"}  `;
    await write(io.stdout, `${escapeText(line + JSON.stringify(facts))}\n`);
  }
  return exitCodes.done;
}

interface VerifyOptions {
  readonly head?: string;
  readonly file?: string;
  readonly json?: boolean;
}

export async function auditVerify(io: CliIo, options: VerifyOptions): Promise<number> {
  const { head, file, json = false } = options;
  await using lumina = await createLuminaGuard();
  try {
    const verified = await lumina.audit.verify({ head, file });
    if (json) printJson(io, { isIntact: true, ...verified });
    else tellVerified(io, verified);
    return exitCodes.done;
  } catch (error) {
    if (!isLuminaGuardError(error, "AUDIT_BROKEN")) throw error;
    if (json) printJson(io, { isIntact: false, message: error.message, ...error.details });
    reportError(io, error, { json: false, debug: false });
    return exitCodes.broken;
  }
}

function tellVerified(io: CliIo, { records, head, signedThrough, keys }: VerifiedChain): void {
  say(io, `${records} records, all as they were written; signed through record ${signedThrough}`);
  const [, ...later] = keys;
  if (later.length > 0) {
    say(io, `the signing key was replaced ${later.length} times: was that you?`);
  }
  say(io, `key ${keys.at(-1) ?? "none"}; write the head down to compare it later:`);
  if (head !== null) io.stdout.write(`${head.hash}\n`);
}

export async function auditExport(io: CliIo): Promise<number> {
  await using lumina = await createLuminaGuard();
  await lumina.audit.export((line) => write(io.stdout, line));
  return exitCodes.done;
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `2h` ago, or a time. */
function parseSince(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const time =
    count === undefined ? Date.parse(text) : Date.now() - Number(count) * (unitMs[unit] ?? 0);
  if (!Number.isNaN(time)) return time;
  throw new LuminaGuardError("USAGE", `${text} is no time`, {
    hint: "use 2h, 7d, or a time such as 2026-01-31T12:00:00Z",
  });
}
