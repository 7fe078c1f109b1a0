/** `luminaguard changes`: what runs wanted to change and nobody has answered yet. */
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import { createRunId } from "../../runtime/cliff/write-back.ts";
import { buildChangeCard } from "../../runtime/values.ts";
import type { ChangeSet } from "../../runtime/values.ts";
import { renderCard } from "../../tui/card-lines.ts";
import { paintDiff } from "../../tui/paint-diff.ts";
import { createStyle } from "../../tui/style.ts";
import { parseApplyWord } from "../apply-word.ts";
import { decideChanges } from "../decide-changes.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say, write } from "../io.ts";
import type { CliIo } from "../io.ts";

interface JsonOption {
  readonly json?: boolean;
}

export async function changesLs(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const sets = await lumina.changes.list();
  if (json === true) {
    printJson(
      io,
      sets.map(({ id, root, command, createdAt, expiresAt, changes }) => {
        return { id, root, command, createdAt, expiresAt, changes: changes.length };
      }),
    );
    return exitCodes.done;
  }
  if (sets.length === 0) say(io, "no change sets are kept");
  for (const { id, root, command, createdAt, changes } of sets) {
    const when = createdAt.slice(0, 16).replace("T", " ");
    const count = `${changes.length} ${changes.length === 1 ? "file" : "files"}`;
    const line = `${id}  ${when}  ${count}  ${escapeText(root)}  ${escapeText(command)}`;
    const isCut = io.stdout.isTTY && line.length > io.columns;
    io.stdout.write(`${isCut ? `${line.slice(0, io.columns - 1)}…` : line}\n`);
  }
  return exitCodes.done;
}

export async function changesShow(io: CliIo, id: string, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const set = await lumina.changes.get(id);
  if (json === true) {
    printJson(io, set);
    return exitCodes.done;
  }
  await showChangeSet(io, lumina, set);
  return exitCodes.done;
}

/** The card, and the difference of each file. */
export async function showChangeSet(io: CliIo, lumina: LuminaGuard, set: ChangeSet): Promise<void> {
  const style = io.stdout.isTTY ? io.style : createStyle(false);
  const card = buildChangeCard(set, { readOnly: true });
  io.stdout.write(`${renderCard(card, { columns: io.columns, style })}\n\n`);
  for (const change of set.changes) {
    const lines = await lumina.changes.diff(set, change);
    await write(io.stdout, `${lines.map((line) => paintDiff(line, style)).join("\n")}\n`);
  }
}

export async function changesApply(
  io: CliIo,
  id: string,
  options: { readonly apply?: string },
): Promise<number> {
  const apply = parseApplyWord(options.apply ?? "ask");
  if (apply === "never") {
    throw new LuminaGuardError("USAGE", "to apply never is to do nothing", {
      hint: `luminaguard changes rm ${id}  throws the change set away`,
    });
  }
  await using lumina = await createLuminaGuard();
  const set = await lumina.changes.get(id);
  const origin = { run: createRunId(), machine: null, exitCode: null, timedOut: false };
  return (await decideChanges(io, lumina, set, { apply, origin, quiet: false })).exitCode;
}

export async function changesRm(io: CliIo, id: string): Promise<number> {
  await using lumina = await createLuminaGuard();
  await lumina.changes.remove(id);
  say(io, `removed ${id.toUpperCase()}`);
  return exitCodes.done;
}
