/** The audit is not what was written: where, and why. */
import { LuminaGuardError } from "../errors.ts";

const hint = "keep a copy of the state folder; what stands before that record is as it was written";

/** AUDIT_BROKEN; `seq` is the first record that is wrong or missing. */
export function broken(seq: number, why: string, cause?: unknown): LuminaGuardError {
  return new LuminaGuardError("AUDIT_BROKEN", `the audit is broken at record ${seq}: ${why}`, {
    hint,
    details: { seq, why },
    cause,
  });
}
