/** A change set as JSON: whatever is read back from disk is checked, so that damage is an error. */
import * as v from "valibot";
import type { Change, ChangeSet, ChangeState } from "./change-set.ts";

const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.string(), v.isoTimestamp());

const state: v.GenericSchema<unknown, ChangeState> = v.variant("kind", [
  v.strictObject({
    kind: v.literal("file"),
    executable: v.boolean(),
    size: count,
    sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  }),
  v.strictObject({ kind: v.literal("link"), target: v.string() }),
  v.strictObject({ kind: v.literal("folder") }),
]);

const change: v.GenericSchema<unknown, Change> = v.strictObject({
  path,
  kind: v.picklist(["added", "modified", "deleted", "mode", "replaced"]),
  before: v.nullable(state),
  after: v.nullable(state),
  binary: v.boolean(),
  lines: v.nullable(v.strictObject({ added: count, removed: count })),
  flags: v.array(v.string()),
  conflict: v.nullable(v.string()),
});

export const changesSchema: v.GenericSchema<unknown, Change[]> = v.array(change);

const changeSet: v.GenericSchema<unknown, ChangeSet> = v.strictObject({
  version: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^[0-9A-HJKMNP-TV-Z]{4,8}$/)),
  root: v.string(),
  command: v.string(),
  hadNetwork: v.optional(v.boolean(), false),
  createdAt: time,
  expiresAt: time,
  changes: changesSchema,
  removedFolders: v.array(path),
  refused: v.array(v.strictObject({ path: v.string(), reason: v.string() })),
  refusedCount: count,
  leftBehind: v.strictObject({ paths: v.array(v.string()), count }),
});

/** The set, or undefined when the text is not one. */
export function parseChangeSet(text: string): ChangeSet | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    // a torn or foreign file: the same answer as a wrong shape
    return undefined;
  }
  const result = v.safeParse(changeSet, data);
  return result.success ? result.output : undefined;
}
