/**
 * What is written down of a machine that outlives a command. `machine.json` is what it is, and its
 * owner's to change; `run.json` is how its latest run goes, and only its supervisor writes it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { errnoOf } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { ProcessIdentity } from "../../process/process-identity.ts";

/** when a checkpoint is made without being asked for */
export type CheckpointRule = "never" | "effect";

export interface KeptRecord {
  readonly version: 1;
  /** "m-" and six hex digits */
  readonly id: string;
  /** the folder's name as well */
  readonly name: string;
  readonly image: string;
  readonly memoryMib: number;
  readonly vcpus: number;
  /** variables of every command in it */
  readonly env: Readonly<Record<string, string>>;
  /** the folder a copy of which is in it */
  readonly workspace: { readonly root: string; readonly include: readonly string[] } | null;
  readonly checkpoint: CheckpointRule;
  /** id of the latest snapshot that it was saved as or goes on from; null: fresh */
  readonly parent: string | null;
  /** ISO 8601 */
  readonly createdAt: string;
}

/** How commands run in machines of an image. */
export interface KeptImage {
  readonly env: Readonly<Record<string, string>>;
  /** `uid:gid` */
  readonly user: string;
  readonly workdir: string;
}

export interface KeptRun {
  readonly supervisor: ProcessIdentity;
  /** id of the machine of this run; null while it starts */
  readonly machine: string | null;
  /** id of the snapshot that the run began with; null: a fresh machine */
  readonly snapshot: string | null;
  /** what its image says of commands; null where it says nothing, or is not known yet */
  readonly image?: KeptImage | null | undefined;
  /** ISO 8601 */
  readonly startedAt: string;
  /** how it ended; absent while it goes on, and when the supervisor could not say */
  readonly ended?:
    { readonly requested: boolean; readonly reason: string; readonly at: string } | undefined;
}

const text = v.pipe(v.string(), v.maxLength(4096));
const time = v.pipe(v.string(), v.isoTimestamp());

const recordSchema: v.GenericSchema<unknown, KeptRecord> = v.object({
  version: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^m-[0-9a-f]{6}$/)),
  name: text,
  image: text,
  memoryMib: v.number(),
  vcpus: v.number(),
  env: v.record(v.string(), v.string()),
  workspace: v.nullable(v.object({ root: v.string(), include: v.array(v.string()) })),
  checkpoint: v.picklist(["never", "effect"]),
  parent: v.nullable(text),
  createdAt: time,
});

const runSchema: v.GenericSchema<unknown, KeptRun> = v.object({
  supervisor: v.object({
    pid: v.pipe(v.number(), v.safeInteger(), v.minValue(2)),
    startTicks: v.nullable(v.number()),
  }),
  machine: v.nullable(text),
  snapshot: v.nullable(text),
  image: v.optional(
    v.nullable(
      v.object({ env: v.record(v.string(), v.string()), user: v.string(), workdir: v.string() }),
    ),
  ),
  startedAt: time,
  ended: v.optional(v.object({ requested: v.boolean(), reason: v.string(), at: time })),
});

export async function writeKeptRecord(folder: string, record: KeptRecord): Promise<void> {
  await writeFileAtomic(join(folder, "machine.json"), `${JSON.stringify(record)}\n`);
}

/** The record; undefined when there is none. Raises STORE_FAILED when it is not one. */
export function readKeptRecord(folder: string): Promise<KeptRecord | undefined> {
  return read(join(folder, "machine.json"), recordSchema);
}

export async function writeKeptRun(folder: string, run: KeptRun): Promise<void> {
  await writeFileAtomic(join(folder, "run.json"), `${JSON.stringify(run)}\n`);
}

/** How the latest run goes; undefined when there was none. */
export function readKeptRun(folder: string): Promise<KeptRun | undefined> {
  return read(join(folder, "run.json"), runSchema);
}

async function read<T>(path: string, schema: v.GenericSchema<unknown, T>): Promise<T | undefined> {
  try {
    return v.parse(schema, JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw new LuminaGuardError("STORE_FAILED", `${path} cannot be read as a machine's record`, {
      hint: "luminaguard vm rm  takes the machine away",
      cause,
    });
  }
}
