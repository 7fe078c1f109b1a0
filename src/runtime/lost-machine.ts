/** The end of a machine whose owner was killed and could not write it down itself. */
import type { OpenLedger } from "./ledger/open-ledger.ts";

/** Records that the machine stopped, unless its start was never recorded or its end is already. */
export function recordLostMachine(
  { store, audit }: Pick<OpenLedger, "store" | "audit">,
  id: string,
): Promise<void> {
  // looked up within the transaction: two starts at once find the same machine
  return store.commit(() => {
    for (const { subject, kind } of store.audit.newest()) {
      if (subject !== id) continue;
      const reason = "the process that owned it was killed";
      const facts = { requested: false, reason };
      if (kind === "machine-started") audit.record({ kind: "machine-stopped", subject: id, facts });
      return;
    }
  });
}
