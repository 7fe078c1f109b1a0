/** Cards that open and settle, told to any face: what is pending now is compared with what was told. */
import { createDeferred } from "../base/deferred.ts";
import type { Approval } from "./approval.ts";
import type { Ledger } from "./ledger.ts";

export interface CliffEvent {
  /** `settled`: it is pending no more, whoever answered */
  readonly kind: "pending" | "settled";
  readonly approval: Approval;
}

/** Begins with what is pending already. A slow reader misses steps in between, never the last one. */
export async function* watchApprovals(
  ledger: Ledger,
  signal: AbortSignal,
): AsyncGenerator<CliffEvent> {
  const told = new Set<string>();
  let changed = createDeferred<undefined>();
  const watch = ledger.onChange(() => changed.resolve(undefined));
  const onAbort = (): void => changed.resolve(undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  // whoever waits for cards waits, even where nothing else holds the process
  const held = setInterval(() => undefined, 2 ** 30);
  try {
    while (!signal.aborted) {
      changed = createDeferred<undefined>();
      const pending = new Set(ledger.pendingIds());
      for (const id of [...told].filter((each) => !pending.has(each))) {
        told.delete(id);
        const approval = ledger.get(id);
        if (approval !== undefined) yield { kind: "settled", approval };
      }
      for (const id of pending) {
        if (told.has(id)) continue;
        told.add(id);
        const approval = ledger.get(id);
        if (approval?.state === "pending") yield { kind: "pending", approval };
      }
      if (isAborted(signal)) return;
      await changed.promise;
    }
  } finally {
    clearInterval(held);
    watch[Symbol.dispose]();
    signal.removeEventListener("abort", onAbort);
  }
}

/** Asked anew: it may have been aborted while an event was looked at. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
