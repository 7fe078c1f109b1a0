/**
 * What came out of the machine becomes a change set that is kept: the hostile tree is taken in, compared
 * with what was sent, checked against the host, flagged and published. Nothing on the host is changed.
 */
import type { Baseline } from "./baseline.ts";
import type { BlobFolder } from "./blob-folder.ts";
import type { Change, ChangeSet, Refusal } from "./change-set.ts";
import type { ChangeStore } from "./change-store.ts";
import { compareTrees, type RawChange } from "./compare.ts";
import { describeChange } from "./describe-change.ts";
import { GuestTree, guestTreeLimits, type GuestTreeLimits } from "./guest-tree.ts";
import { toHostError } from "../base/host-error.ts";

export interface ReceiveOptions {
  /** what was sent in; whole, because the tar stream of the pack has ended */
  readonly baseline: Baseline;
  readonly store: ChangeStore;
  /** the command that ran, for people */
  readonly command: string;
  /** the machine had a network card @default false */
  readonly hadNetwork?: boolean;
  /** Whether a new path stays in the machine; a scan's `isIgnored` @default nothing does */
  readonly isIgnored?: (path: string, isFolder: boolean) => boolean;
  readonly limits?: Partial<GuestTreeLimits>;
  readonly signal?: AbortSignal | undefined;
}

export interface ReceivedChanges {
  /** the kept set; undefined when nothing changed */
  readonly set: ChangeSet | undefined;
  readonly refused: readonly Refusal[];
  readonly refusedCount: number;
  readonly leftBehind: ChangeSet["leftBehind"];
}

/** Takes the guest's tree and keeps its changes under an id of their own. */
export async function receiveChanges(
  tar: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
): Promise<ReceivedChanges> {
  const { baseline, store, signal } = options;
  const draft = await store.draft({ signal });
  try {
    const tree = new GuestTree({
      baseline,
      blobs: draft.blobs,
      isIgnored: options.isIgnored ?? (() => false),
      limits: { ...guestTreeLimits, ...options.limits },
      signal,
    });
    await tree.take(tar);
    const { changes, removedFolders, refused } = compareTrees(baseline.entries, tree);
    for (const { path, reason } of refused) tree.refuse(path, reason);
    if (tree.gitChanges > 0)
      tree.refuse(".git", `nothing below it is applied (${tree.gitChanges} changed)`);
    const { refusedCount, leftBehind } = tree;
    const rest = { refused: tree.refused, refusedCount, leftBehind };
    if (changes.length === 0) {
      await draft.drop();
      return { set: undefined, ...rest };
    }
    const set = await draft.publish({
      root: baseline.root,
      command: options.command.slice(0, 4096),
      hadNetwork: options.hadNetwork ?? false,
      changes: await describeAll(changes, tree, baseline, draft.blobs, signal),
      removedFolders,
      ...rest,
    });
    return { set, ...rest };
  } catch (error) {
    await draft.drop();
    throw toHostError(error, "the changes could not be taken out of the machine");
  }
}

async function describeAll(
  changes: readonly RawChange[],
  tree: GuestTree,
  baseline: Baseline,
  blobs: BlobFolder,
  signal: AbortSignal | undefined,
): Promise<readonly Change[]> {
  const described: Change[] = [];
  for (const raw of changes) {
    signal?.throwIfAborted();
    described.push(await describeChange(raw, { root: baseline.root, tree, blobs, signal }));
  }
  return described;
}
