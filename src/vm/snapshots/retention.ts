/** Which snapshots make room for a new one. Pure. */
import { LuminaGuardError } from "../../errors.ts";
import type { SnapshotManifest } from "./snapshot-manifest.ts";

export interface SnapshotLimits {
  readonly countMax: number;
  /** on disk, all together, in `bytes` */
  readonly bytesMax: number;
}

interface Kept {
  readonly id: string;
  readonly bytes: number;
  readonly manifest: Pick<SnapshotManifest, "name" | "kind" | "parent" | "createdAt">;
}

/**
 * Ids of those to remove, oldest first: what was made to fork from or before an effect goes before what
 * was asked for. What has a name, and the newest, stays. Raises HOST_LIMIT when that is too much.
 * @param all oldest first
 */
export function chooseUnwanted(
  all: readonly Kept[],
  newest: string,
  { countMax, bytesMax }: SnapshotLimits,
): readonly string[] {
  let count = all.length;
  let bytes = all.reduce((sum, each) => sum + each.bytes, 0);
  const isOver = (): boolean => count > countMax || bytes > bytesMax;
  const removable = all.filter(({ id, manifest }) => manifest.name === null && id !== newest);
  const made = removable.filter(({ manifest }) => manifest.kind !== "asked");
  const asked = removable.filter(({ manifest }) => manifest.kind === "asked");
  const unwanted: string[] = [];
  for (const each of [...made, ...asked]) {
    if (!isOver()) return unwanted;
    unwanted.push(each.id);
    count -= 1;
    bytes -= each.bytes;
  }
  if (!isOver()) return unwanted;
  const mebibytes = Math.round(bytes / 1024 ** 2);
  throw new LuminaGuardError(
    "HOST_LIMIT",
    `${count} snapshots with names take ${mebibytes} MiB, and that is over the limit`,
    {
      hint: "luminaguard vm snapshot rm  takes one away; snapshotsMax and snapshotsMibMax are the limits",
    },
  );
}
