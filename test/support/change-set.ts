/** Change sets for tests of what draws them. */
import type { Change, ChangeSet } from "../../src/runtime/values.ts";

export function makeChange(path: string, more: Partial<Change> = {}): Change {
  return {
    path,
    kind: "modified",
    before: { kind: "file", executable: false, size: 10, sha256: "a" },
    after: { kind: "file", executable: false, size: 20, sha256: "b" },
    binary: false,
    lines: { added: 1, removed: 2 },
    flags: [],
    conflict: null,
    ...more,
  };
}

export function makeChangeSet(
  changes: readonly Change[],
  more: Partial<ChangeSet> = {},
): ChangeSet {
  return {
    version: 1,
    id: "7K2M",
    root: "/home/ada/shop",
    command: "make",
    hadNetwork: false,
    createdAt: "2026-11-22T10:00:00.000Z",
    expiresAt: "2026-11-29T10:00:00.000Z",
    changes,
    removedFolders: [],
    refused: [],
    refusedCount: 0,
    leftBehind: { paths: [], count: 0 },
    ...more,
  };
}
