/**
 * A change of the workspace as it travels in `args.changes`. Whatever is not exactly of this form is
 * shown as the plain argument it is, so that nothing of it is left out.
 */
import * as v from "valibot";
import type { JsonValue } from "../json.ts";

export type ShownState =
  | {
      readonly kind: "file";
      readonly executable: boolean;
      readonly size: number;
      readonly sha256: string;
    }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "folder" };

export interface ShownChange {
  readonly path: string;
  readonly kind: "added" | "modified" | "deleted" | "mode" | "replaced";
  readonly before: ShownState | null;
  readonly after: ShownState | null;
  readonly binary: boolean;
  readonly lines: { readonly added: number; readonly removed: number } | null;
  readonly flags: readonly string[];
  readonly conflict: string | null;
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const state: v.GenericSchema<unknown, ShownState> = v.variant("kind", [
  v.strictObject({
    kind: v.literal("file"),
    executable: v.boolean(),
    size: count,
    sha256: v.string(),
  }),
  v.strictObject({ kind: v.literal("link"), target: v.string() }),
  v.strictObject({ kind: v.literal("folder") }),
]);
const changes: v.GenericSchema<unknown, readonly ShownChange[]> = v.array(
  v.strictObject({
    path: v.string(),
    kind: v.picklist(["added", "modified", "deleted", "mode", "replaced"]),
    before: v.nullable(state),
    after: v.nullable(state),
    binary: v.boolean(),
    lines: v.nullable(v.strictObject({ added: count, removed: count })),
    flags: v.array(v.string()),
    conflict: v.nullable(v.string()),
  }),
);

/** The changes, or undefined when the argument is something else. */
export function parseShownChanges(
  value: JsonValue | undefined,
): readonly ShownChange[] | undefined {
  const result = v.safeParse(changes, value);
  return result.success ? result.output : undefined;
}

/** Paths of removed folders, or undefined when the argument is something else. */
export function parseShownFolders(value: JsonValue | undefined): readonly string[] | undefined {
  const result = v.safeParse(v.array(v.string()), value);
  return result.success ? result.output : undefined;
}
