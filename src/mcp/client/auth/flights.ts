/**
 * Work that many callers need and one does: whoever asks for what is under way waits for it, and
 * different works on one login follow each other.
 */
export class Flights {
  readonly #underWay = new Map<string, Promise<void>>();
  #last: Promise<unknown> = Promise.resolve();

  /** Joins the work of that key, or begins it. The signal ends the caller's wait, not the work. */
  async join(key: string, work: () => Promise<void>, signal?: AbortSignal | null): Promise<void> {
    const flight = this.#underWay.get(key) ?? this.#begin(key, work);
    await abortable(flight, signal ?? undefined);
  }

  has(key: string): boolean {
    return this.#underWay.has(key);
  }

  #begin(key: string, work: () => Promise<void>): Promise<void> {
    const flight = this.#last.then(work).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, flight);
    this.#last = flight.catch(() => undefined); // heard by whoever waits
    return flight;
  }
}

async function abortable(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
