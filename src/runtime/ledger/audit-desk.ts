/** The audit, as a face sees it: shown, verified, exported. */
import type { AuditRecord } from "../../audit/audit-entry.ts";
import type { VerifiedChain } from "../../audit/chain-verifier.ts";
import type { RecordFilter } from "../../audit/find-records.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { AuditSnapshot } from "../../store/store.ts";
import type { OpenLedger } from "./open-ledger.ts";

export interface VerifyAuditOptions {
  /** hash of the newest record when somebody wrote it down; it has to be there */
  readonly head?: string | undefined;
  /** an export to verify in place of this computer's audit */
  readonly file?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class AuditDesk {
  readonly #openLedger: () => Promise<OpenLedger>;

  /** @param openLedger the one of this process; its owner closes it */
  constructor(openLedger: () => Promise<OpenLedger>) {
    this.#openLedger = openLedger;
  }

  /** The newest records that the filter lets through, the oldest first. */
  async show(filter: RecordFilter = {}): Promise<readonly AuditRecord[]> {
    const { findRecords } = await import("../../audit/find-records.ts");
    const { store } = await this.#openLedger();
    return withSnapshot(store, (audit) => findRecords(audit.newest(), filter));
  }

  /**
   * Whether every record is what was written. Raises AUDIT_BROKEN, whose `details.seq` is the first
   * record that is not.
   */
  async verify({ head, file, signal }: VerifyAuditOptions = {}): Promise<VerifiedChain> {
    const { itemsOf, verifyChain } = await import("../../audit/verify-audit.ts");
    const expected = { head: parseHead(head), signal };
    if (file !== undefined) {
      const { parseExport } = await import("../../audit/audit-export.ts");
      const { openExport } = await import("../../audit/open-export.ts");
      return verifyChain(parseExport(await openExport(file)), expected);
    }
    const { store, headFile } = await this.#openToVerify();
    const keptHead = await headFile.read();
    return withSnapshot(store, (audit) => verifyChain(itemsOf(audit), { ...expected, keptHead }));
  }

  /** Lines of JSON that somebody else can verify, one after the other to `write`. */
  async export(write: (line: string) => Promise<void> | void): Promise<void> {
    const { renderLine } = await import("../../audit/audit-export.ts");
    const { itemsOf } = await import("../../audit/verify-audit.ts");
    const { store } = await this.#openLedger();
    await withSnapshot(store, async (audit) => {
      for (const item of itemsOf(audit)) await write(renderLine(item));
    });
  }

  /** A file that is no database any more is a broken audit. */
  async #openToVerify(): Promise<OpenLedger> {
    try {
      return await this.#openLedger();
    } catch (error) {
      const { broken } = await import("../../audit/broken.ts");
      const { isDamaged } = await import("../../store/store-error.ts");
      throw isDamaged(error) ? broken(0, "its file is damaged", error) : error;
    }
  }
}

async function withSnapshot<T>(
  store: OpenLedger["store"],
  read: (audit: AuditSnapshot["audit"]) => T | Promise<T>,
): Promise<T> {
  using snapshot = store.openAudit();
  return await read(snapshot.audit);
}

function parseHead(text: string | undefined): string | undefined {
  const head = text?.trim().toLowerCase();
  if (head === undefined || /^[0-9a-f]{64}$/.test(head)) return head;
  throw new LuminaGuardError("USAGE", "a head is 64 hexadecimal digits", {
    hint: "luminaguard audit verify  prints the head of now",
  });
}
