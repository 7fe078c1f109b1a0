/**
 * What a killed process left half done, brought to an end: called once at each start. An apply that had
 * not become final is undone, one that had is finished. A workspace whose apply is still under way in
 * another process is left alone.
 */
import { messageOf } from "../errors.ts";
import { listJournals, putAsideJournal, readJournal, type ApplyJournal } from "./apply-journal.ts";
import type { ApplyProbe } from "./apply-steps.ts";
import type { ChangeStore } from "./change-store.ts";
import { toHostError } from "../base/host-error.ts";
import { finishApply, undoApply, type ApplyEnd } from "./undo-apply.ts";
import { clearLocks, tryLockWorkspace } from "./workspace-lock.ts";

export interface RecoverOptions {
  readonly store: ChangeStore;
  readonly signal?: AbortSignal | undefined;
  /** called before each write; for tests */
  readonly probe?: ApplyProbe;
}

/** What was done about one apply that had been cut short. */
export type Recovery =
  | { readonly kind: "finished"; readonly root: string; readonly setId: string }
  | {
      readonly kind: "undone";
      readonly root: string;
      readonly setId: string;
      /** files of somebody who worked there in between, under new names */
      readonly kept: readonly string[];
    }
  | { readonly kind: "failed"; readonly root: string; readonly reason: string };

/** Never throws for one workspace's sake: what cannot be recovered is reported and tried again next time. */
export async function recoverApplies(
  stateDir: string,
  options: RecoverOptions,
): Promise<readonly Recovery[]> {
  const done: Recovery[] = [];
  const probe = options.probe ?? (() => undefined);
  try {
    for (const id of await listJournals(stateDir)) {
      options.signal?.throwIfAborted();
      const recovery = await recoverOne(id, { stateDir, store: options.store, probe });
      if (recovery !== undefined) done.push(recovery);
    }
    await clearLocks(stateDir);
    await options.store.clearDrafts();
  } catch (error) {
    throw toHostError(error, "half-done changes could not be looked at");
  }
  return done;
}

async function recoverOne(id: string, end: ApplyEnd): Promise<Recovery | undefined> {
  const journal = await readJournal(end.stateDir, id);
  if (journal === undefined) return undefined;
  if (journal === "damaged") {
    await putAsideJournal(end.stateDir, id);
    return { kind: "failed", root: "", reason: `journal ${id} is damaged and was put aside` };
  }
  await using lock = await tryLockWorkspace(end.stateDir, journal.root, { timeoutMs: 0 });
  if (lock === undefined) return undefined;
  // its owner may have ended it between the look and the lock
  const current = await readJournal(end.stateDir, id);
  return current === undefined || current === "damaged" ? undefined : await settle(current, end);
}

async function settle(journal: ApplyJournal, end: ApplyEnd): Promise<Recovery> {
  const { root, setId } = journal;
  try {
    if (journal.phase === "done") {
      await finishApply(journal, end);
      return { kind: "finished", root, setId };
    }
    return { kind: "undone", root, setId, kept: await undoApply(journal, end) };
  } catch (error) {
    return { kind: "failed", root, reason: messageOf(error) };
  }
}
