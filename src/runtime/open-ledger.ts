/** Opens what decisions are kept in: the store, this user's key, the audit, and the ledger over them. */
import { join } from "node:path";
import { Audit } from "../audit/audit.ts";
import { openLocalKey } from "../audit/local-key.ts";
import type { LocalKey } from "../audit/local-key.ts";
import { isOwnerRunning } from "../process/owner-name.ts";
import { BlobStore } from "../store/blob-store.ts";
import type { Clock } from "../store/steady-clock.ts";
import { Store } from "../store/store.ts";
import { StoreLedger } from "./ledger.ts";

export interface OpenLedgerOptions {
  readonly stateDir: string;
  /** @default the system's */
  readonly clock?: Clock;
}

export interface OpenLedger extends AsyncDisposable {
  readonly ledger: StoreLedger;
  readonly audit: Audit;
  readonly store: Store;
  /** signs decisions */
  readonly key: LocalKey;
  /** contents that envelopes name */
  readonly operands: BlobStore;
}

/** Raises STORE_FAILED or HOST_LIMIT. The caller closes it. */
export async function openLedger({ stateDir, clock }: OpenLedgerOptions): Promise<OpenLedger> {
  const store = await Store.open({ stateDir, ...(clock && { clock }) });
  try {
    const key = await openLocalKey(join(stateDir, "signing-key.pem"));
    const audit = await Audit.open(store, key);
    return {
      ledger: new StoreLedger({ store, audit, isOwnerRunning }),
      ...{ audit, store, key },
      operands: new BlobStore(join(stateDir, "operands")),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
