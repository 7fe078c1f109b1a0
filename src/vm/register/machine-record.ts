/**
 * What a machine's record says: whose it is and which process runs it. It lies beside the machine's
 * folder, where the machine cannot reach it. What cannot be read as a record is none.
 */
import { readFileSync, readdirSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { ProcessIdentity } from "../../process/process-identity.ts";

const identitySchema = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(2)),
  startTicks: v.nullable(v.pipe(v.number(), v.safeInteger())),
});

export interface MachineRecord {
  /** the process that owns the machine */
  readonly host: ProcessIdentity;
  /** first process of the machine; null: nothing runs it; absent: not started yet */
  readonly vmm?: ProcessIdentity | null | undefined;
  /** when the machine was made, ISO 8601 */
  readonly since?: string | undefined;
  /** it has a network card */
  readonly hasNetwork?: boolean | undefined;
  /** folders of its control groups */
  readonly groups?: readonly string[] | undefined;
}

const recordSchema: v.GenericSchema<unknown, MachineRecord> = v.object({
  host: identitySchema,
  vmm: v.optional(v.nullable(identitySchema)),
  since: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  hasNetwork: v.optional(v.boolean()),
  groups: v.optional(v.array(v.string())),
});

function recordPath(runtimeDir: string, id: string): string {
  return join(runtimeDir, `${id}.json`);
}

/** Replaces the record; whoever reads it sees the old one or the new one. */
export async function writeRecord(
  runtimeDir: string,
  id: string,
  record: MachineRecord,
): Promise<void> {
  const path = recordPath(runtimeDir, id);
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** The record, or `undefined` when it is missing, or cut short by its host's death. */
export function readRecord(runtimeDir: string, id: string): MachineRecord | undefined {
  try {
    return v.parse(recordSchema, JSON.parse(readFileSync(recordPath(runtimeDir, id), "utf8")));
  } catch {
    return undefined;
  }
}

/** Ids of the machines that have a record, in order. */
export function listRecorded(runtimeDir: string): readonly string[] {
  try {
    const names = readdirSync(runtimeDir);
    return names.flatMap((name) => /^(vm-[0-9a-f]{5})\.json$/.exec(name)?.[1] ?? []).sort();
  } catch {
    return []; // no machine was ever made here
  }
}
