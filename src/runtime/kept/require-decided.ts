/** A machine whose move was cut off at its end is not started by anything but the decision. */
import { LuminaGuardError } from "../../errors.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";

/** Raises MIGRATION_IN_DOUBT. */
export function requireDecided({ doubt, record }: Kept): void {
  if (doubt === null) return;
  throw new LuminaGuardError("MIGRATION_IN_DOUBT", `machine ${record.name}: ${doubt.why}`, {
    hint: doubt.hint,
  });
}
