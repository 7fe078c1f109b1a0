/** Keeps the audit's head in its file: a moment after a record, and at the end. */
import type { AuditTable } from "../store/audit-table.ts";
import type { HeadFile } from "./kept-head.ts";

/** a burst of records moves the head once, in `ms` */
const delayMs = 1000;

export class HeadKeeper {
  readonly #file: HeadFile;
  readonly #audit: AuditTable;
  #timer: NodeJS.Timeout | undefined;
  #keeping: Promise<void> = Promise.resolve();
  #isDue = false;

  constructor(file: HeadFile, audit: AuditTable) {
    this.#file = file;
    this.#audit = audit;
  }

  /** There is a new record. */
  touch(): void {
    this.#isDue = true;
    this.#timer ??= setTimeout(() => void this.keep(), delayMs).unref();
  }

  /** Keeps the head now, if it moved. The audit stands without it, so what goes wrong here ends nothing. */
  keep(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#keeping = this.#keeping.then(() => this.#keep()).catch(() => undefined); // the next record tries again
    return this.#keeping;
  }

  async #keep(): Promise<void> {
    if (!this.#isDue) return;
    this.#isDue = false;
    const last = this.#audit.last();
    const genesis = this.#hashOf(0);
    if (last === undefined || genesis === undefined) return;
    const head = { genesis, seq: last.seq, hash: toHex(last.hash) };
    await this.#file.keep(
      head,
      (kept) => kept.genesis === genesis && this.#hashOf(kept.seq) === kept.hash,
    );
  }

  #hashOf(seq: number): string | undefined {
    const row = this.#audit.get(seq);
    return row && toHex(row.hash);
  }
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
