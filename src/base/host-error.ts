/** What the host's file system said, as an error a person can act on. */
import { isLuminaGuardError, LuminaGuardError, messageOf } from "../errors.ts";

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "free some disk space and try again",
  EDQUOT: "your disk quota is used up; free some space and try again",
  EROFS: "the file system is mounted read-only",
  EACCES: "check who owns the folder and its permissions",
  EPERM: "check who owns the folder and its permissions",
  ENAMETOOLONG: "a path is longer than this file system allows",
  EMFILE: "too many open files: raise the limit with ulimit -n",
  ENFILE: "too many open files on this host",
};

/** The file system's error code, if that is what was thrown. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || isLuminaGuardError(error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : undefined;
}

/** Whether the host lacks room, descriptors or rights: nothing that a mistake of ours would raise. */
export function isHostError(error: unknown): boolean {
  return (errnoOf(error) ?? "") in hints;
}

/** HOST_LIMIT for what the file system refused; anything else stays what it is. `what` could not be done. */
export function toHostError(error: unknown, what: string): unknown {
  const code = errnoOf(error);
  if (code === undefined) return error;
  return new LuminaGuardError("HOST_LIMIT", `${what}: ${messageOf(error)}`, {
    hint: hints[code] ?? "look at the host's disk and try again",
    details: { errno: code },
    cause: error,
  });
}
