/** Opens what decisions are kept in: the store, this user's key, the audit, and the ledger over them. */
import { join } from "node:path";
import { Audit } from "../../audit/audit.ts";
import { HeadKeeper } from "../../audit/head-keeper.ts";
import { HeadFile } from "../../audit/kept-head.ts";
import { openLocalKey } from "../../audit/local-key.ts";
import type { LocalKey } from "../../audit/local-key.ts";
import { isOwnerRunning } from "../../process/owner-name.ts";
import { BlobStore } from "../../store/blob-store.ts";
import type { Clock } from "../../store/steady-clock.ts";
import { Store } from "../../store/store.ts";
import { StoreLedger } from "./ledger.ts";

export interface OpenLedgerOptions {
  readonly stateDir: string;
  /** where the audit's newest hash is kept too */
  readonly configDir: string;
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
  /** the audit's newest hash, kept apart from it */
  readonly headFile: HeadFile;
}

/** Raises STORE_FAILED or HOST_LIMIT. The caller closes it. */
export async function openLedger({
  stateDir,
  configDir,
  clock,
}: OpenLedgerOptions): Promise<OpenLedger> {
  const store = await Store.open({ stateDir, ...(clock && { clock }) });
  try {
    const key = await openLocalKey(join(stateDir, "signing-key.pem"));
    const headFile = new HeadFile(join(configDir, "audit-heads"), stateDir);
    const heads = new HeadKeeper(headFile, store.audit);
    const audit = await Audit.open(store, key, { onRecord: () => heads.touch() });
    return {
      ledger: new StoreLedger({ store, audit, isOwnerRunning }),
      ...{ audit, store, key, headFile },
      operands: new BlobStore(join(stateDir, "operands")),
      [Symbol.asyncDispose]: async () => {
        await store.drain();
        await heads.keep();
        await store[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
