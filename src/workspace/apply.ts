/**
 * Brings chosen changes of a kept set into the workspace: all of them, or none. Everything is written and
 * flushed beside first; then a journal says what will move; then it moves by renames; then one write to
 * the journal makes it final. Before that write a crash or an error undoes all, after it nothing can.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "../base/atomic-file.ts";
import { escapeText } from "../base/escape-text.ts";
import { isLuminaGuardError, LuminaGuardError, messageOf } from "../errors.ts";
import { readJournal, writeJournal, type ApplyJournal } from "./apply-journal.ts";
import { planApply, type ApplyConflict, type ApplyPlan, type StagedFile } from "./apply-plan.ts";
import { makeStep, MovedMeanwhileError, type ApplyProbe } from "./apply-steps.ts";
import type { BlobFolder } from "./blob-folder.ts";
import { chooseChanges, chooseFolders, type ApplyChoice } from "./apply-choice.ts";
import type { ChangeSet } from "./change-set.ts";
import type { ChangeStore } from "./change-store.ts";
import { applyFolderPrefix } from "./guest-path.ts";
import { errnoOf, toHostError } from "../base/host-error.ts";
import { finishApply, syncFolders, undoApply } from "./undo-apply.ts";
import { lockWorkspace } from "./workspace-lock.ts";

export interface ApplyOptions {
  readonly stateDir: string;
  readonly store: ChangeStore;
  /** what to apply @default every change that is not flagged */
  readonly choice?: ApplyChoice;
  /** longest wait for another apply in the same workspace in `ms` @default 10 s */
  readonly lockTimeoutMs?: number;
  /** obeyed until files begin to move; from then on it is all or nothing */
  readonly signal?: AbortSignal | undefined;
  /** called before each write; for tests */
  readonly probe?: ApplyProbe;
}

export interface ApplyResult {
  /** paths that are now as the machine had them */
  readonly applied: readonly string[];
  /** what stays kept under the same id; undefined when nothing is left */
  readonly remaining: ChangeSet | undefined;
}

export async function applyChanges(id: string, options: ApplyOptions): Promise<ApplyResult> {
  const { stateDir, store, signal } = options;
  const { root } = await store.get(id, { signal });
  await checkRoot(root);
  const timeoutMs = options.lockTimeoutMs ?? 10_000;
  const lock = await lockWorkspace(stateDir, root, { timeoutMs, signal });
  try {
    // read again: somebody may have applied a part of it while we waited
    return await applyLocked(await store.get(id, { signal }), options);
  } catch (error) {
    throw toHostError(error, "nothing was applied");
  } finally {
    await lock.release();
  }
}

async function applyLocked(set: ChangeSet, options: ApplyOptions): Promise<ApplyResult> {
  const { choice = { kind: "unflagged" }, signal } = options;
  const chosen = chooseChanges(set, choice);
  if (chosen.length === 0) return { applied: [], remaining: set };
  const removedFolders = chooseFolders(set, choice);
  const plan = await planApply({ ...set, removedFolders }, chosen, signal);
  if (plan.conflicts.length > 0) throw conflictError(set, plan.conflicts);
  const applied = chosen.map(({ path }) => path);
  await new Apply(set, plan, applied, options).run();
  const done = new Set(applied);
  const changes = set.changes.filter(({ path }) => !done.has(path));
  return { applied, remaining: changes.length === 0 ? undefined : { ...set, changes } };
}

/** The workspace must be the folder it was, not a link that has taken its place. */
async function checkRoot(root: string): Promise<void> {
  // a folder that is gone has no real path
  if ((await realpath(root).catch(() => undefined)) === root) return;
  throw new LuminaGuardError("WORKSPACE_REFUSED", `${root} is no longer the folder it was`, {
    hint: "put the folder back where it was, then apply again",
    details: { root },
  });
}

class Apply {
  readonly #plan: ApplyPlan;
  readonly #options: ApplyOptions;
  readonly #blobs: BlobFolder;
  readonly #probe: ApplyProbe;
  #journal: ApplyJournal;
  /** whether the write that makes it final was begun, so that the disk may say either */
  #isDeciding = false;

  constructor(set: ChangeSet, plan: ApplyPlan, paths: readonly string[], options: ApplyOptions) {
    const id = randomBytes(6).toString("hex");
    const folder = applyFolderPrefix + id;
    const { id: setId, root } = set;
    this.#plan = plan;
    this.#options = options;
    this.#blobs = options.store.blobs(setId);
    this.#probe = options.probe ?? (() => undefined);
    this.#journal = { version: 1, id, setId, root, folder, phase: "staging", steps: [], paths };
  }

  async run(): Promise<void> {
    try {
      await this.#stage();
      await this.#move();
    } catch (error) {
      if (!(await this.#isDecided())) {
        await this.#undo(error);
        throw this.#explain(error);
      }
    }
    try {
      await finishApply(this.#journal, { ...this.#options, probe: this.#probe });
    } catch (error) {
      throw unfinished(
        "everything was applied, but LuminaGuard could not clear up after it",
        error,
      );
    }
  }

  /** Whether the disk says "done" although writing that failed, in its last flush. */
  async #isDecided(): Promise<boolean> {
    if (!this.#isDeciding) return false;
    const journal = await readJournal(this.#options.stateDir, this.#journal.id);
    return journal !== undefined && journal !== "damaged" && journal.phase === "done";
  }

  async #stage(): Promise<void> {
    await this.#enter("staging");
    const folder = join(this.#journal.root, this.#journal.folder);
    this.#probe("make the apply folder");
    for (const name of ["", "new", "old"]) await mkdir(join(folder, name), { mode: 0o700 });
    for (const file of this.#plan.staged) {
      this.#options.signal?.throwIfAborted();
      await this.#write(join(folder, "new", file.slot), file);
    }
    await syncFolder(join(folder, "new"));
    this.#options.signal?.throwIfAborted();
  }

  /** One new file, checked against its hash while it is copied, and flushed. */
  async #write(path: string, { state, mode }: StagedFile): Promise<void> {
    this.#probe("write a file");
    const file = await open(path, "wx", state.executable ? 0o777 : 0o666);
    try {
      await this.#blobs.copyInto(state.sha256, (chunk) => file.writeFile(chunk));
      if (mode !== undefined) await file.chmod(withExecutable(mode, state.executable));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #move(): Promise<void> {
    this.#journal = { ...this.#journal, steps: this.#plan.steps };
    await this.#enter("moving");
    for (const step of this.#plan.steps) {
      const slot = step.kind === "set aside" ? step.slot : "";
      const expected = this.#plan.expected.get(slot) ?? null;
      await makeStep(step, { journal: this.#journal, probe: this.#probe }, expected);
    }
    await syncFolders(this.#journal);
    this.#isDeciding = true;
    await this.#enter("done");
  }

  async #enter(phase: ApplyJournal["phase"]): Promise<void> {
    this.#probe(`journal: ${phase}`);
    const journal = { ...this.#journal, phase };
    await writeJournal(this.#options.stateDir, journal);
    this.#journal = journal;
  }

  async #undo(cause: unknown): Promise<void> {
    try {
      await undoApply(this.#journal, { ...this.#options, probe: this.#probe });
    } catch (error) {
      const all = new AggregateError([cause, error], messageOf(cause));
      throw unfinished("a part was applied and could not be taken back", all);
    }
  }

  #explain(error: unknown): unknown {
    const isKnown = isLuminaGuardError(error) || errnoOf(error) !== undefined;
    if (isKnown || this.#options.signal?.aborted === true) return error;
    if (error instanceof MovedMeanwhileError) {
      const { path } = error;
      return conflictError(this.#journal, [{ path, reason: "changed on the host just now" }]);
    }
    return new LuminaGuardError("APPLY_FAILED", `nothing was applied: ${messageOf(error)}`, {
      hint: "the workspace is as it was, and the change set is still kept",
      cause: error,
    });
  }
}

/** The bits of the file that is replaced, executable or not as the new one wants; never set-id bits. */
function withExecutable(mode: number, executable: boolean): number {
  const plain = mode & 0o666;
  return executable ? plain | ((plain & 0o444) >> 2) | 0o100 : plain;
}

function unfinished(message: string, cause: unknown): LuminaGuardError {
  return new LuminaGuardError("APPLY_FAILED", message, {
    hint: "the next start of luminaguard finishes this; look at the disk if it does not",
    cause,
  });
}

function conflictError(
  { root }: { readonly root: string },
  conflicts: readonly ApplyConflict[],
): LuminaGuardError {
  const shown = conflicts.slice(0, 3).map(({ path, reason }) => `${path}: ${reason}`);
  const more = conflicts.length > 3 ? ` (and ${conflicts.length - 3} more)` : "";
  const what = `nothing was applied: ${escapeText(shown.join("; "))}${more}`;
  return new LuminaGuardError("CHANGES_CONFLICT", what, {
    hint: "apply the others by name, or look at the difference with luminaguard changes show",
    details: { root, conflicts },
  });
}
