/** `luminaguard approvals grant`: remembered decisions, each with its exact rule. */
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { addGrant, makeGrant, revokeGrant } from "../../runtime/cliff/grant-desk.ts";
import { effectKinds } from "../../runtime/values.ts";
import type { EffectKind, Grant } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { needKeyboard } from "../keyboard.ts";

export async function grantLs(io: CliIo, { json }: { readonly json?: boolean }): Promise<number> {
  await using lumina = await createLuminaGuard();
  const { ledger } = await lumina.approvals.open();
  const grants = ledger.grants();
  if (json === true) printJson(io, grants);
  else if (grants.length === 0) say(io, "no grants");
  else for (const grant of grants) io.stdout.write(`${render(grant)}\n\n`);
  return exitCodes.done;
}

export interface GrantAddOptions {
  readonly who: string;
  readonly effect: string;
  readonly tool: string;
  readonly on?: string;
  readonly run?: string;
  readonly task?: string;
  readonly arg?: readonly string[];
  readonly uses: number;
  readonly hours: number;
}

/** Shows the rule and takes a person's key: a grant is never made by a script. */
export async function grantAdd(io: CliIo, options: GrantAddOptions): Promise<number> {
  const { who, effect, tool, on, run = null, task = null, arg = [], uses, hours } = options;
  await using lumina = await createLuminaGuard();
  const open = await lumina.approvals.open();
  const args = Object.fromEntries(arg.map(parseArgument));
  const scope = {
    ...{ who, effect: parseEffect(effect), tool, run, task, args },
    ...(on !== undefined && { resource: on }),
  };
  const grant = makeGrant(open, scope, { usesMax: uses, lifeMs: hours * 3_600_000 });
  if (!(await isWanted(io, grant, lumina.config.approvalTimeoutS * 1000))) {
    say(io, "  nothing was added");
    return exitCodes.rejected;
  }
  await addGrant(open, grant);
  say(io, `  added ${grant.id}`);
  return exitCodes.done;
}

async function isWanted(io: CliIo, grant: Grant, timeoutMs: number): Promise<boolean> {
  using keyboard = needKeyboard(io);
  say(io, `${render(grant)}\n\n  [y] add this rule   any other key: no`);
  keyboard.settle();
  return (await keyboard.next(timeoutMs))?.name === "y";
}

export async function grantRm(io: CliIo, id: string): Promise<number> {
  await using lumina = await createLuminaGuard();
  await revokeGrant(await lumina.approvals.open(), id);
  say(io, `revoked ${escapeText(id)}`);
  return exitCodes.done;
}

function render({ id, text, uses, usesMax, expiresAt }: Grant): string {
  const rule = text
    .split("\n")
    .map((line) => `  ${escapeText(line)}`)
    .join("\n");
  return `${id}  ${usesMax - uses} of ${usesMax} uses left, until ${expiresAt}\n${rule}`;
}

function parseEffect(text: string): EffectKind {
  const kind = effectKinds.find((known) => known === text);
  if (kind !== undefined) return kind;
  throw new LuminaGuardError("USAGE", `--effect cannot be "${escapeText(text)}"`, {
    hint: `it is one of ${effectKinds.join(", ")}`,
  });
}

function parseArgument(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (text.startsWith("/") && at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new LuminaGuardError("USAGE", `--arg ${escapeText(text)} is not /name=value`, {
    hint: "the name is a JSON Pointer, such as --arg /repo=acme/shop",
  });
}
