/** The one ledger of this process: its code is loaded and its file opened when it is first needed. */
import type { AuditEntry } from "../../audit/audit-entry.ts";
import type { Config } from "../../config/config.ts";
import type { OpenLedger } from "./open-ledger.ts";

export class SharedLedger implements AsyncDisposable {
  readonly #config: Pick<Config, "stateDir" | "configDir">;
  #open: Promise<OpenLedger> | undefined;
  readonly #awaited = new Set<Promise<void>>();

  constructor(config: Pick<Config, "stateDir" | "configDir">) {
    this.#config = config;
  }

  /** Raises STORE_FAILED or HOST_LIMIT; the next call tries again. */
  open(): Promise<OpenLedger> {
    this.#open ??= import("./open-ledger.ts")
      .then(({ openLedger }) => openLedger(this.#config))
      .catch((error: unknown) => {
        this.#open = undefined;
        throw error;
      });
    return this.#open;
  }

  /** Begins to open it, for a record that comes later; what goes wrong is told then. */
  prepare(): void {
    this.open().catch(() => undefined);
  }

  /** Durable when it resolves. */
  async record(entry: AuditEntry): Promise<void> {
    const { store, audit } = await this.open();
    await store.commit(() => audit.record(entry));
  }

  /** Records what will have happened; the ledger stays open until then. A record that fails ends nothing. */
  recordWhen(entry: Promise<AuditEntry>): void {
    const recording = entry
      .then((happened) => this.record(happened))
      .catch(() => undefined) // it has happened, recorded or not
      .finally(() => this.#awaited.delete(recording));
    this.#awaited.add(recording);
  }

  /** Waits for what is being recorded, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#awaited);
    const open = await this.#open?.catch(() => undefined); // whoever needed it was told why not
    await open?.[Symbol.asyncDispose]();
  }
}
