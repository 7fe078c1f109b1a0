/** Snapshots and machines, each below what it goes on from. Pure. */
import type { Kept } from "../../vm/kept/kept-store.ts";
import type { Snapshot } from "../../vm/snapshots/snapshot-store.ts";

export interface TreeNode {
  readonly kind: "snapshot" | "machine";
  readonly id: string;
  readonly name: string | null;
  /** of a machine, such as "running"; of a snapshot the machine it was taken of */
  readonly note: string;
  readonly children: readonly TreeNode[];
}

/** What has no parent, or one that is gone, is a root. */
export function buildSnapshotTree(
  snapshots: readonly Snapshot[],
  machines: readonly Kept[],
): readonly TreeNode[] {
  const known = new Set(snapshots.map(({ id }) => id));
  const below = (parent: string | null): readonly TreeNode[] => {
    const isHere = (of: string | null): boolean => {
      return parent === null ? of === null || !known.has(of) : of === parent;
    };
    return [
      ...snapshots
        .filter(({ manifest }) => isHere(manifest.parent))
        .map(({ id, manifest }): TreeNode => {
          const { name, machine } = manifest;
          return { kind: "snapshot", id, name, note: machine.name, children: below(id) };
        }),
      ...machines
        .filter(({ record }) => isHere(record.parent))
        .map(({ record, state }): TreeNode => {
          return { kind: "machine", id: record.id, name: record.name, note: state, children: [] };
        }),
    ];
  };
  return below(null);
}
