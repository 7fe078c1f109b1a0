/** The two ways out of an apply that began: back to how it was, or on to its end. Both may be repeated. */
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "../base/atomic-file.ts";
import { isLuminaGuardError } from "../errors.ts";
import { removeJournal, type ApplyJournal } from "./apply-journal.ts";
import { undoStep, type ApplyProbe } from "./apply-steps.ts";
import type { ChangeStore } from "./change-store.ts";
import { lookAt } from "./host-state.ts";

const undoneSuffix = "-undone";

export interface ApplyEnd {
  readonly stateDir: string;
  readonly store: ChangeStore;
  readonly probe: ApplyProbe;
}

/** The workspace as it was; gives the names under which somebody else's work was kept. */
export async function undoApply(journal: ApplyJournal, end: ApplyEnd): Promise<readonly string[]> {
  const kept: string[] = [];
  const folder = join(journal.root, journal.folder);
  // without the folder nothing has moved yet, or all is undone already and only the rest is to go
  if ((await lookAt(folder)) !== undefined) {
    for (const step of [...journal.steps].reverse()) {
      const name = await undoStep(step, { journal, probe: end.probe });
      if (name !== undefined) kept.push(name);
    }
    await syncFolders(journal);
    // one rename says that all is undone; unlike a write it needs no room on a full disk
    end.probe("mark as undone");
    await rename(folder, folder + undoneSuffix);
  }
  await clearAway(journal, end);
  return kept;
}

/** The rest of an apply whose files are all in place. */
export async function finishApply(journal: ApplyJournal, end: ApplyEnd): Promise<void> {
  end.probe("settle the change set");
  try {
    const set = await end.store.get(journal.setId);
    const applied = new Set(journal.paths);
    const changes = set.changes.filter(({ path }) => !applied.has(path));
    await end.store.settle({ ...set, changes });
  } catch (error) {
    // dropped or expired in the meantime: there is nothing left to settle
    if (!isLuminaGuardError(error, "CHANGES_NOT_FOUND")) throw error;
  }
  await clearAway(journal, end);
}

/** Flushes every folder in which something was moved. */
export async function syncFolders(journal: ApplyJournal): Promise<void> {
  const folders = new Set(journal.steps.map(({ path }) => dirname(join(journal.root, path))));
  for (const folder of [journal.root, ...folders]) {
    // a folder that was removed again has nothing to flush
    await syncFolder(folder).catch(() => undefined);
  }
}

async function clearAway(journal: ApplyJournal, { stateDir, probe }: ApplyEnd): Promise<void> {
  probe("remove the apply folder");
  const folder = join(journal.root, journal.folder);
  for (const name of [folder, folder + undoneSuffix])
    await rm(name, { recursive: true, force: true });
  probe("remove the journal");
  await removeJournal(stateDir, journal.id);
}
