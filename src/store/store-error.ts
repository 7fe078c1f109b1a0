/** What SQLite and the disk below it said, as an error a person can act on. */
import { isLuminaGuardError, LuminaGuardError, messageOf } from "../errors.ts";

/** SQLite's primary result codes, as far as they mean something of their own here. */
const codes = { busy: 5, locked: 6, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 }; // prettier-ignore

const hostHints: Readonly<Record<number, string>> = {
  [codes.readOnly]: "the state folder cannot be written: check its owner and its mount",
  [codes.ioError]: "the disk refused: look at its room and its health",
  [codes.full]: "free some disk space and try again",
  [codes.cannotOpen]: "check who owns the state folder and its permissions",
};

const damageHint =
  "move ledger.sqlite and the files beside it away to begin a new one; what was decided is lost with it";

const storeHints: Readonly<Record<number, string>> = {
  [codes.busy]: "another luminaguard process holds the store; try again",
  [codes.locked]: "another luminaguard process holds the store; try again",
  [codes.corrupt]: damageHint,
  [codes.notADatabase]: damageHint,
};

/** SQLite's primary result code, if that is what was thrown. */
function resultOf(error: unknown): number | undefined {
  const code = error instanceof Error ? (error as { errcode?: unknown }).errcode : undefined;
  return typeof code === "number" ? code & 0xff : undefined;
}

/** Another process writes just now: the same can work a moment later. */
export function isBusy(error: unknown): boolean {
  const code = isLuminaGuardError(error) ? error.details["sqlite"] : resultOf(error);
  return code === codes.busy || code === codes.locked;
}

/** The file is not what was written. */
export function isDamaged(error: unknown): boolean {
  const code = isLuminaGuardError(error) ? error.details["sqlite"] : resultOf(error);
  return code === codes.corrupt || code === codes.notADatabase;
}

/** HOST_LIMIT for a disk without room or rights, STORE_FAILED for anything else of SQLite's. */
export function toStoreError(error: unknown, what: string): unknown {
  const code = resultOf(error);
  if (code === undefined) return error;
  const hostHint = hostHints[code];
  const hint = hostHint ?? storeHints[code];
  return new LuminaGuardError(
    hostHint === undefined ? "STORE_FAILED" : "HOST_LIMIT",
    `${what}: ${messageOf(error)}`,
    { ...(hint !== undefined && { hint }), details: { sqlite: code }, cause: error },
  );
}
