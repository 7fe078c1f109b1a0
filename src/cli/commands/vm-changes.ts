/** `luminaguard vm diff`, `apply` and `checkpoint`: what a machine changed, and its way back. */
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { diffWorkspace, guardEffect, noteApplied } from "../../runtime/kept/apply-workspace.ts";
import type { EffectEnd, GuardedEnd } from "../../runtime/kept/apply-workspace.ts";
import type { ChangeSet } from "../../runtime/values.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createRunId } from "../../runtime/cliff/write-back.ts";
import { parseApplyWord } from "../apply-word.ts";
import { decideChanges } from "../decide-changes.ts";
import type { Decision } from "../decide-changes.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { watchSignals } from "../signals.ts";
import { showChangeSet } from "./changes.ts";

interface JsonOption {
  readonly json?: boolean;
}

export async function vmDiff(io: CliIo, word: string, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const { set, refused } = await diffWorkspace(lumina, await lumina.kept.find(word), signals);
  if (json === true) printJson(io, { changeSet: set ?? null, refused });
  else if (set === undefined) say(io, "no files changed");
  else await showChangeSet(io, lumina, set);
  return exitCodes.done;
}

export async function vmApply(
  io: CliIo,
  word: string,
  { apply: applyWord = "ask", json = false }: JsonOption & { readonly apply?: string },
): Promise<number> {
  const apply = parseApplyWord(applyWord);
  if (apply === "never") {
    throw new LuminaGuardError("USAGE", "to apply never is to do nothing", {
      hint: `luminaguard vm diff ${word}  shows what changed`,
    });
  }
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const { signal } = signals;
  const kept = await lumina.kept.find(word);
  const { set } = await diffWorkspace(lumina, kept, signals);
  if (set === undefined) {
    if (json) printJson(io, { changes: 0, applied: [], changeSet: null, rolledBackTo: null });
    else say(io, "no files changed");
    return exitCodes.done;
  }
  const machine = kept.run?.machine ?? null;
  const origin = { run: createRunId(), machine, exitCode: null, timedOut: false };
  const ask = async (): Promise<EffectEnd & Decision> => {
    const decision = await decideChanges(io, lumina, set, { apply, origin, quiet: json, signal });
    return { ...decision, outcome: outcomeOf(decision) };
  };
  const guarded = await guardEffect(lumina, kept, ask, signals);
  await noteApplied(kept, guarded.end.applied);
  if (json) printApplied(io, set, guarded);
  else if (guarded.isRolledBack) {
    say(io, `  restored  ${kept.record.name} is as it was when you were asked`);
  }
  return guarded.end.exitCode;
}

function outcomeOf({ exitCode }: Decision): EffectEnd["outcome"] {
  if (exitCode === exitCodes.rejected) return "rejected";
  return exitCode === exitCodes.done ? "done" : "kept";
}

function printApplied(
  io: CliIo,
  set: ChangeSet,
  { end, checkpoint, isRolledBack }: GuardedEnd<Decision>,
): void {
  const { applied, changeSet = null } = end;
  const rolledBackTo = isRolledBack ? (checkpoint?.id ?? null) : null;
  printJson(io, { changes: set.changes.length, applied, changeSet, rolledBackTo });
}

export async function vmCheckpoint(
  io: CliIo,
  word: string,
  { every, json }: JsonOption & { readonly every?: string },
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const kept = await lumina.kept.find(word);
  const { name } = kept.record;
  if (every === undefined) {
    const { id, stopMs } = await lumina.snapshots.take(kept, { kind: "checkpoint" });
    if (json === true) printJson(io, { snapshot: id, stopMs: Math.round(stopMs) });
    else
      say(
        io,
        `saved     ${name} as ${id.slice(0, 12)}; it stood still for ${Math.round(stopMs)} ms`,
      );
    return exitCodes.done;
  }
  if (every !== "effect" && every !== "never") {
    throw new LuminaGuardError("USAGE", `--every ${every}: it can be effect or never`);
  }
  await lumina.kept.store.update(kept, { checkpoint: every });
  const what =
    every === "effect" ? "is saved before each effect is asked about" : "is not saved unasked";
  if (json === true) printJson(io, { machine: name, checkpoint: every });
  else say(io, `${name} ${what}`);
  return exitCodes.done;
}
