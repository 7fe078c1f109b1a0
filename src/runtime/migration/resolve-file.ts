/**
 * The sender's side of a machine that is in a file. Whether it was taken out of it on this host is written
 * down here; whether a copy of the file was taken elsewhere nobody but a person can know.
 */
import { rm } from "node:fs/promises";
import { errnoOf } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { KeptRecord } from "../../vm/kept/kept-record.ts";
import { claimed, claimMove, readClaim } from "../../vm/migration/claims.ts";
import type { SenderStep } from "../../vm/migration/handover.ts";
import type { SenderJournal } from "../../vm/migration/journal.ts";
import { finishMoveFile, isMoveFileOf } from "../../vm/migration/move-file.ts";
import type { ResolveRequest } from "./move-words.ts";

export interface ResolveFileParts {
  readonly stateDir: string;
  readonly record: Pick<KeptRecord, "id" | "name">;
}

/** The step to take. Raises VM_MOVED when it was taken out of the file here, MIGRATION_IN_DOUBT, SNAPSHOT_INVALID. */
export async function resolveFile(
  { stateDir, record }: ResolveFileParts,
  { id, to, token }: SenderJournal,
  wish: ResolveRequest,
): Promise<SenderStep> {
  const claim = await readClaim(stateDir, id);
  if (wish.where === "there") {
    if (claim?.kind === "withdrawn") throw claimed(claim);
    if (claim === undefined) await finishWhereItIs(to, id, token);
    return claim === undefined ? "let it go" : "it arrived";
  }
  if (claim?.kind === "taken") throw claimed(claim);
  if (!wish.otherIsGone) throw mayBeTaken(to);
  await claimMove(stateDir, id, { kind: "withdrawn", machine: record.id, name: record.name });
  if (await isMoveFileOf(to, id)) await rm(to, { force: true });
  return "other is gone";
}

/** A supervisor that was killed may have left the token out. A file that was carried off had it. */
async function finishWhereItIs(path: string, id: string, token: string): Promise<void> {
  await finishMoveFile(path, id, token).catch((error: unknown) => {
    const cause = error instanceof Error ? error.cause : undefined;
    if (errnoOf(cause) !== "ENOENT") throw error;
  });
}

function mayBeTaken(path: string): LuminaGuardError {
  return new LuminaGuardError(
    "MIGRATION_IN_DOUBT",
    `the machine was not taken out of ${path} on this host, and may have been elsewhere`,
    {
      hint: "--here --other-is-gone  is your word that no copy of the file was taken or ever will be",
    },
  );
}
