/** Verifies an audit where it is kept, or what was exported of one. */
import { setImmediate as turn } from "node:timers/promises";
import { isLuminaGuardError } from "../errors.ts";
import type { AuditRow, CheckpointRow } from "../store/audit-table.ts";
import { broken } from "./broken.ts";
import { ChainVerifier } from "./chain-verifier.ts";
import type { Expected, VerifiedChain } from "./chain-verifier.ts";

export type ChainItem =
  | { readonly kind: "record"; readonly row: AuditRow }
  | { readonly kind: "checkpoint"; readonly row: CheckpointRow };

export interface VerifyOptions extends Expected {
  readonly signal?: AbortSignal | undefined;
}

interface AuditSource {
  readonly after: (seq: number) => Iterable<AuditRow>;
  readonly checkpoints: () => Iterable<CheckpointRow>;
}

/** records between two looks at what else is to be done: some milliseconds */
const pauseEvery = 1000;

/** All records, each checkpoint right after the record it signs; checkpoints of none at the end. */
export function* itemsOf(source: AuditSource): Generator<ChainItem, void, undefined> {
  const checkpoints = source.checkpoints()[Symbol.iterator]();
  let checkpoint = checkpoints.next();
  for (const row of source.after(-1)) {
    yield { kind: "record", row };
    for (
      ;
      checkpoint.done !== true && checkpoint.value.seq <= row.seq;
      checkpoint = checkpoints.next()
    ) {
      yield { kind: "checkpoint", row: checkpoint.value };
    }
  }
  for (; checkpoint.done !== true; checkpoint = checkpoints.next()) {
    yield { kind: "checkpoint", row: checkpoint.value };
  }
}

/** Raises AUDIT_BROKEN, naming the first record that is not what was written, or the signal's reason. */
export async function verifyChain(
  items: Iterable<ChainItem> | AsyncIterable<ChainItem>,
  { signal, ...expected }: VerifyOptions = {},
): Promise<VerifiedChain> {
  const verifier = new ChainVerifier(expected);
  try {
    if (Symbol.iterator in items) await followAll(verifier, items, signal);
    else for await (const item of items) follow(verifier, item);
    return verifier.end();
  } catch (error) {
    if (isLuminaGuardError(error, "AUDIT_BROKEN") || signal?.aborted === true) throw error;
    throw broken(verifier.next, "it cannot be read", error);
  }
}

async function followAll(
  verifier: ChainVerifier,
  items: Iterable<ChainItem>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let count = 0;
  for (const item of items) {
    follow(verifier, item);
    count += 1;
    if (count % pauseEvery !== 0) continue;
    await turn();
    signal?.throwIfAborted();
  }
}

function follow(verifier: ChainVerifier, item: ChainItem): void {
  if (item.kind === "record") verifier.record(item.row);
  else verifier.checkpoint(item.row);
}
