/** What a snapshot says of itself. Its id is the SHA-256 of these bytes, so nothing of it can be changed. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { LuminaGuardError } from "../../errors.ts";
import type { SaveKey } from "../hypervisor.ts";

/** asked for by a person; made to fork from; made before an effect */
export type SnapshotKind = "asked" | "fork" | "checkpoint";

/** What whoever makes a snapshot says of it. */
export interface SnapshotFacts {
  /** the machine it was taken of */
  readonly machine: { readonly id: string; readonly name: string };
  /** a person's name for it; one with a name is never removed to make room */
  readonly name: string | null;
  readonly kind: SnapshotKind;
  /** id of the snapshot that the machine went on from */
  readonly parent: string | null;
  readonly memoryMib: number;
  readonly vcpus: number;
  readonly key: SaveKey;
}

export interface SnapshotFile {
  readonly name: string;
  readonly bytes: number;
  /** of the bytes on disk */
  readonly sha256: string;
}

export interface SnapshotManifest extends SnapshotFacts {
  readonly version: 1;
  /** ISO 8601 */
  readonly createdAt: string;
  readonly files: readonly SnapshotFile[];
  /** how the files are encrypted; null: they are not */
  readonly seal: {
    readonly place: "keychain" | "file";
    readonly keyId: string;
    readonly salt: string;
  } | null;
}

const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const word = v.pipe(v.string(), v.maxLength(256));

const schema: v.GenericSchema<unknown, SnapshotManifest> = v.strictObject({
  version: v.literal(1),
  machine: v.strictObject({ id: word, name: word }),
  name: v.nullable(word),
  kind: v.picklist(["asked", "fork", "checkpoint"]),
  parent: v.nullable(hex),
  memoryMib: v.number(),
  vcpus: v.number(),
  key: v.strictObject({
    backend: word,
    version: word,
    cpu: word,
    imageDigest: word,
    arguments: word,
  }),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  files: v.pipe(
    v.array(
      v.strictObject({
        name: v.pipe(v.string(), v.regex(/^[a-z][a-z.-]{0,30}$/)),
        bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
        sha256: hex,
      }),
    ),
    v.maxLength(16),
  ),
  seal: v.nullable(
    v.strictObject({ place: v.picklist(["keychain", "file"]), keyId: word, salt: hex }),
  ),
});

const versionSchema = v.object({ version: v.number() });

export function writeManifest(manifest: SnapshotManifest): {
  readonly id: string;
  readonly text: string;
} {
  const text = `${JSON.stringify(manifest)}\n`;
  return { id: digestOf(text), text };
}

/** Raises SNAPSHOT_INVALID when the text is not the one with this id, SNAPSHOT_MISMATCH for another format. */
export function parseManifest(id: string, text: string): SnapshotManifest {
  if (digestOf(text) !== id) throw invalidSnapshot(id, "its manifest was changed");
  const json: unknown = JSON.parse(text);
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const { success, output } = v.safeParse(versionSchema, json);
  throw new LuminaGuardError(
    "SNAPSHOT_MISMATCH",
    `snapshot ${shortId(id)} is in format ${success ? output.version : "unknown"}, and here is 1`,
    { hint: "use the version of LuminaGuard that made it" },
  );
}

export function invalidSnapshot(id: string, why: string): LuminaGuardError {
  return new LuminaGuardError(
    "SNAPSHOT_INVALID",
    `snapshot ${shortId(id)} cannot be trusted: ${why}`,
    {
      hint: `luminaguard vm snapshot rm ${shortId(id)}  takes it away`,
      details: { id },
    },
  );
}

/** Enough of an id to name a snapshot by. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
