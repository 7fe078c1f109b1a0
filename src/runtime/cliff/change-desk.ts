/**
 * The change sets that wait for a person: kept, shown, applied, thrown away. Each part is loaded when
 * it is needed: a run without a folder needs none of them.
 */
import type { ApplyResult } from "../../workspace/apply.ts";
import type { ApplyChoice } from "../../workspace/apply-choice.ts";
import type { Change, ChangeSet } from "../../workspace/change-set.ts";
import type { FileDiff } from "../../workspace/file-diff.ts";
import type { HunkChoice } from "../../workspace/narrow.ts";
import { ChangeStore } from "../../workspace/change-store.ts";
import type { Recovery } from "../../workspace/recover.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

export class ChangeDesk {
  /** where sets are kept, for whoever makes one */
  readonly store: ChangeStore;
  readonly #stateDir: string;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    this.store = new ChangeStore(stateDir);
  }

  list(options: SignalOption = {}): Promise<readonly ChangeSet[]> {
    return this.store.list(options);
  }

  /** Raises CHANGES_NOT_FOUND. */
  get(id: string, options: SignalOption = {}): Promise<ChangeSet> {
    return this.store.get(id.toUpperCase(), options);
  }

  /** One change as a unified diff, safe for a terminal. */
  async diff(
    set: ChangeSet,
    change: Change,
    options: SignalOption = {},
  ): Promise<readonly string[]> {
    const { renderUnifiedDiff } = await import("../../workspace/unified-diff.ts");
    return renderUnifiedDiff(change, this.store.blobs(set.id), options);
  }

  /** The lines that differ, raw: a face escapes what it shows. */
  async fileDiff(set: ChangeSet, change: Change, options: SignalOption = {}): Promise<FileDiff> {
    options.signal?.throwIfAborted();
    const { diffFile } = await import("../../workspace/file-diff.ts");
    return diffFile(change, this.store.blobs(set.id));
  }

  /** A set of its own with only what was chosen; the one that was shown stays. Raises USAGE. */
  async narrow(set: ChangeSet, choice: HunkChoice, options: SignalOption = {}): Promise<ChangeSet> {
    const { narrowChanges } = await import("../../workspace/narrow.ts");
    return narrowChanges(this.store, set, choice, options);
  }

  /** All that is chosen, or nothing. Raises CHANGES_CONFLICT, APPLY_FAILED or HOST_LIMIT. */
  async apply(
    id: string,
    choice: ApplyChoice,
    { signal }: SignalOption = {},
  ): Promise<ApplyResult> {
    const { applyChanges } = await import("../../workspace/apply.ts");
    return applyChanges(id, { stateDir: this.#stateDir, store: this.store, choice, signal });
  }

  remove(id: string, options: SignalOption = {}): Promise<void> {
    return this.store.remove(id.toUpperCase(), options);
  }

  /** Finishes or undoes what a killed process was applying. */
  async recover(options: SignalOption = {}): Promise<readonly Recovery[]> {
    const { recoverApplies } = await import("../../workspace/recover.ts");
    return recoverApplies(this.#stateDir, { store: this.store, ...options });
  }
}
