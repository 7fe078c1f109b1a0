/**
 * What a machine changed, on its way back over the cliff. With a checkpoint before each effect the machine
 * is saved before anybody is asked, and a no takes it back to that moment.
 */
import type { LuminaGuard } from "../luminaguard.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import type { BaselineEntry } from "../../workspace/baseline.ts";
import { readHostState } from "../../workspace/host-state.ts";
import type { HostState } from "../../workspace/host-state.ts";
import type { ReceivedChanges } from "../../workspace/receive.ts";
import type { TakenSnapshot } from "./kept-snapshots.ts";
import { readBaseline, takeChanges, writeBaseline } from "./kept-workspace.ts";

interface SignalOption {
  readonly signal?: AbortSignal | undefined;
}

/** What a person or policy said to an effect. */
export interface EffectEnd {
  readonly outcome: "done" | "rejected" | "kept";
  /** paths that are now in the folder as the machine has them */
  readonly applied: readonly string[];
}

export interface GuardedEnd<T> {
  readonly end: T;
  /** the snapshot that was made before anybody was asked */
  readonly checkpoint: TakenSnapshot | undefined;
  /** the machine is as it was then */
  readonly isRolledBack: boolean;
}

/** What changed in the machine's workspace, kept as a change set. The machine goes on. */
export async function diffWorkspace(
  lumina: LuminaGuard,
  kept: Kept,
  { signal }: SignalOption = {},
): Promise<ReceivedChanges> {
  using machine = await lumina.kept.attach(kept, { signal });
  return await takeChanges(machine, { store: lumina.changes.store, signal });
}

/**
 * Asks about an effect of this machine's, with its own rule for checkpoints.
 * @param ask shows the card, and carries the effect out when it may
 */
export async function guardEffect<T extends EffectEnd>(
  lumina: LuminaGuard,
  kept: Kept,
  ask: () => Promise<T>,
  { signal }: SignalOption = {},
): Promise<GuardedEnd<T>> {
  if (kept.record.checkpoint === "never") {
    const unguarded = await ask();
    return { end: unguarded, checkpoint: undefined, isRolledBack: false };
  }
  const { snapshots } = lumina;
  // hashed and published while the card is read
  const pending = await snapshots.begin(kept, { kind: "checkpoint", signal });
  const end = await ask();
  const checkpoint = await pending.published;
  if (end.outcome !== "rejected") return { end, checkpoint, isRolledBack: false };
  await snapshots.restore(await lumina.kept.find(kept.record.name), checkpoint.id, { signal });
  return { end, checkpoint, isRolledBack: true };
}

/**
 * What was applied is what the next difference is taken against: as the folder has it now, which may be
 * less than the machine has, where a person chose a part.
 */
export async function noteApplied(kept: Kept, applied: readonly string[]): Promise<void> {
  if (applied.length === 0) return;
  const baseline = await readBaseline(kept);
  const entries = new Map(baseline.entries);
  for (const path of applied) {
    const entry = toEntry(await readHostState(baseline.root, path));
    if (entry === undefined) entries.delete(path);
    else entries.set(path, entry);
  }
  await writeBaseline(kept, { root: baseline.root, entries });
}

function toEntry(state: HostState): BaselineEntry | undefined {
  if (state.kind === "absent" || state.kind === "blocked") return undefined;
  if (state.kind === "folder") return { kind: "folder", mode: 0o755 };
  if (state.kind === "link") return { kind: "link", target: state.target };
  const { size, sha256, executable } = state;
  return { kind: "file", mode: executable ? 0o755 : 0o644, size, sha256, mtimeMs: 0 };
}
