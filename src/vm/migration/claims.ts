/**
 * Who on this host took a machine out of a file, or took the file back: the first to write it down, and
 * nobody after. It is never forgotten, as the file may be kept for as long.
 */
import { randomBytes } from "node:crypto";
import { link, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { syncFolder, writeFileAtomic } from "../../base/atomic-file.ts";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { LuminaGuardError } from "../../errors.ts";

export interface Claim {
  /** taken by a machine here, or taken back by the one that was sent */
  readonly kind: "taken" | "withdrawn";
  /** id of that machine */
  readonly machine: string;
  readonly name: string;
}

const schema: v.GenericSchema<unknown, Claim> = v.strictObject({
  kind: v.picklist(["taken", "withdrawn"]),
  machine: v.pipe(v.string(), v.maxLength(64)),
  name: v.pipe(v.string(), v.maxLength(64)),
});

/** What was claimed of the move; undefined: nothing. Raises STORE_FAILED when it cannot be read. */
export async function readClaim(stateDir: string, moveId: string): Promise<Claim | undefined> {
  const path = pathOf(stateDir, moveId);
  try {
    return v.parse(schema, JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw new LuminaGuardError("STORE_FAILED", `${path} cannot be read: it may be claimed`, {
      cause,
    });
  }
}

/** On the disk when this resolves; the claim of the same machine may be told twice. Raises VM_MOVED. */
export async function claimMove(stateDir: string, moveId: string, claim: Claim): Promise<void> {
  const path = pathOf(stateDir, moveId);
  try {
    await makePrivateFolder(dirname(path));
    await writeFirst(path, JSON.stringify(claim));
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw toHostError(error, "a machine's file cannot be claimed");
    const first = await readClaim(stateDir, moveId);
    if (first?.kind === claim.kind && first.machine === claim.machine) return;
    throw claimed(first);
  }
}

/** Whole and on the disk, or EEXIST. */
async function writeFirst(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFileAtomic(beside, text);
    await link(beside, path);
  } finally {
    await rm(beside, { force: true });
  }
  await syncFolder(dirname(path));
}

export function claimed(first: Claim | undefined): LuminaGuardError {
  const who = first === undefined ? "" : ` as machine ${first.name}`;
  return first?.kind === "withdrawn"
    ? new LuminaGuardError("VM_MOVED", `the machine was taken back${who}, and is not in the file`)
    : new LuminaGuardError("VM_MOVED", `the machine was taken out of the file here${who}`, {
        hint: "luminaguard vm ls  lists them; a file is taken once",
      });
}

function pathOf(stateDir: string, moveId: string): string {
  return join(stateDir, "moves", "claims", moveId);
}
