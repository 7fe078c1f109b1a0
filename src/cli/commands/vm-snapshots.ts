/** `luminaguard vm snapshot`, `fork`, `restore` and `tree`. */
import { LuminaGuardError, isLuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import { buildSnapshotTree } from "../../runtime/kept/snapshot-tree.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress.ts";
import { watchSignals } from "../signals.ts";
import { keptJson, renderSnapshot, renderStarted, renderTree, snapshotJson } from "../vm-text.ts";

interface JsonOption {
  readonly json?: boolean;
}

export async function vmSnapshot(
  io: CliIo,
  word: string | undefined,
  { name, encrypt, json }: JsonOption & { readonly name?: string; readonly encrypt?: boolean },
): Promise<number> {
  if (word === undefined) {
    throw new LuminaGuardError("USAGE", "which machine is to be saved?", {
      hint: "luminaguard vm ls  lists them; luminaguard vm snapshot ls  lists what was saved",
    });
  }
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const kept = await lumina.kept.find(word);
  const { signal } = signals;
  const snapshot = await lumina.snapshots.take(kept, { name, isSealed: encrypt, signal });
  const stopMs = Math.round(snapshot.stopMs);
  if (json === true) printJson(io, { ...snapshotJson(snapshot), stopMs });
  else {
    say(io, `saved     ${kept.record.name}; it stood still for ${stopMs} ms`);
    io.stdout.write(`${snapshot.id.slice(0, 12)}\n`);
  }
  return exitCodes.done;
}

export async function vmSnapshotLs(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const all = await lumina.snapshots.store.list();
  if (json === true) printJson(io, all.map(snapshotJson));
  else if (all.length === 0) say(io, "no snapshot is kept");
  for (const each of json === true ? [] : all) io.stdout.write(`${renderSnapshot(each)}\n`);
  return exitCodes.done;
}

export async function vmSnapshotRm(
  io: CliIo,
  words: readonly string[],
  { json }: JsonOption,
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const ids = await Promise.all(words.map((word) => lumina.snapshots.store.find(word)));
  for (const id of ids) {
    await lumina.snapshots.store.remove(id);
    if (json !== true) say(io, `removed   ${id.slice(0, 12)}`);
  }
  if (json === true) printJson(io, { removed: ids });
  return exitCodes.done;
}

export async function vmFork(
  io: CliIo,
  word: string,
  { count = 1, name, json }: JsonOption & { readonly count?: number; readonly name?: string },
): Promise<number> {
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const progress = createProgress(io);
  const { signal } = signals;
  const snapshot = await findSource(lumina, word, signal);
  const started = await lumina.snapshots
    .fork(snapshot, { count, name, signal, onPhase: progress.show })
    .finally(progress.clear);
  if (json === true) {
    printJson(io, { snapshot, machines: started.map(({ kept }) => keptJson(kept)) });
    return exitCodes.done;
  }
  for (const each of started) {
    say(io, `forked    ${each.kept.record.name} (${each.kept.record.id}) ${renderStarted(each)}`);
    io.stdout.write(`${each.kept.record.name}\n`);
  }
  return exitCodes.done;
}

/** A machine is saved first; a snapshot is one already. */
async function findSource(lumina: LuminaGuard, word: string, signal: AbortSignal): Promise<string> {
  try {
    const kept = await lumina.kept.find(word);
    return (await lumina.snapshots.take(kept, { kind: "fork", signal })).id;
  } catch (error) {
    if (!isLuminaGuardError(error, "MACHINE_NOT_FOUND")) throw error;
    return lumina.snapshots.store.find(word).catch(() => {
      throw error;
    });
  }
}

export async function vmRestore(
  io: CliIo,
  word: string,
  snapshotWord: string | undefined,
  { json }: JsonOption,
): Promise<number> {
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const progress = createProgress(io);
  const kept = await lumina.kept.find(word);
  const { snapshots } = lumina;
  const id =
    snapshotWord === undefined
      ? await snapshots.newestOf(kept)
      : await lumina.snapshots.store.find(snapshotWord);
  const started = await snapshots
    .restore(kept, id, { signal: signals.signal, onPhase: progress.show })
    .finally(progress.clear);
  if (json === true) printJson(io, { ...keptJson(started.kept), snapshot: id });
  else say(io, `restored  ${kept.record.name} to ${id.slice(0, 12)}: ${renderStarted(started)}`);
  return exitCodes.done;
}

export async function vmTree(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const tree = buildSnapshotTree(await lumina.snapshots.store.list(), await lumina.kept.list());
  if (json === true) printJson(io, tree);
  else if (tree.length === 0) say(io, "no machine and no snapshot is kept");
  for (const line of json === true ? [] : renderTree(tree)) io.stdout.write(`${line}\n`);
  return exitCodes.done;
}
