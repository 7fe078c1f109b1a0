/** `vm receive FILE`: looks at every byte of the file, and leads what it says to the supervisor of the machine in it. */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { LuminaGuardError, isLuminaGuardError } from "../../errors.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { claimed, readClaim } from "../../vm/migration/claims.ts";
import { FrameLink } from "../../vm/migration/frame-link.ts";
import { readJournal } from "../../vm/migration/journal.ts";
import { inspectMoveFile, readMoveFile } from "../../vm/migration/move-file.ts";
import type { FoundMoveFile } from "../../vm/migration/move-file.ts";
import type { Arrivals } from "./arrivals.ts";
import { hear } from "./move-out.ts";

export interface ReceiveFileParts {
  readonly arrivals: Arrivals;
  readonly stateDir: string;
  /** the machine that was sent into the file, if that was here, is another one's now */
  readonly letGo: (moveId: string) => Promise<void>;
}

export interface FileWish {
  /** absolute */
  readonly path: string;
  /** what the machine is called here @default as there */
  readonly name?: string | undefined;
  readonly onProgress?: ((what: "reading" | "arriving") => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** the supervisor looks for room and the image, in `ms` */
const acceptTimeoutMs = 120_000;
/** all of it is written and hashed, in `ms` */
const readyTimeoutMs = 600_000;
/** it is restored and greeted, in `ms` */
const arrivedTimeoutMs = 120_000;

/**
 * The name of the machine, which runs here. Raises SNAPSHOT_INVALID, VM_MOVED when it was taken out of the
 * file already, MACHINE_EXISTS, and what restoring raises, with nothing left behind.
 */
export async function receiveFile(parts: ReceiveFileParts, wish: FileWish): Promise<string> {
  const { path, signal } = wish;
  await parts.arrivals.sweep();
  wish.onProgress?.("reading");
  const found = await inspectMoveFile(path, signal);
  const { hello } = found;
  const claim = await readClaim(parts.stateDir, hello.id);
  if (claim !== undefined) throw claimed(claim);
  const name = wish.name ?? hello.machine.name;
  const kept = await parts.arrivals.create(hello, { from: path, pin: null }, name);
  wish.onProgress?.("arriving");
  try {
    await lead(parts, kept, found, wish);
  } catch (error) {
    throw await explain(parts, kept, error);
  }
  await parts.letGo(hello.id);
  return name;
}

async function lead(
  { arrivals }: ReceiveFileParts,
  kept: Kept,
  found: FoundMoveFile,
  { path, signal }: FileWish,
): Promise<void> {
  const supervisor = await arrivals.open(kept);
  const link = new FrameLink(supervisor);
  const pumped = pump(path, found, supervisor);
  pumped.catch(() => undefined); // what the supervisor says of it is what counts
  try {
    await hear(link, "accepted", acceptTimeoutMs, signal);
    await hear(link, "ready", readyTimeoutMs, signal);
    // from here on it is taken: whoever asked may leave, and it goes on
    await hear(link, "running", arrivedTimeoutMs);
    await hear(link, "arrived", arrivedTimeoutMs);
    await pumped;
  } finally {
    await link.end();
  }
}

async function pump(path: string, found: FoundMoveFile, to: Writable): Promise<void> {
  for await (const chunk of readMoveFile(path, found)) {
    if (!to.write(chunk)) await once(to, "drain");
  }
}

/** What did not come is dropped; what was taken and did not run can go on. */
async function explain(
  { arrivals }: ReceiveFileParts,
  kept: Kept,
  error: unknown,
): Promise<unknown> {
  const journal = await readJournal(kept.folder).catch(() => undefined);
  if (journal?.role === "receiver" && journal.phase === "taken") {
    const { name } = kept.record;
    const why = error instanceof Error ? error.message : String(error);
    return new LuminaGuardError(
      "MIGRATION_IN_DOUBT",
      `machine ${name} was taken and does not run yet: ${why}`,
      { hint: `luminaguard vm migrate ${name} --resolve --here  lets it go on`, cause: error },
    );
  }
  await arrivals.drop(kept);
  if (!isLuminaGuardError(error, "WIRE_BROKEN")) return error;
  return new LuminaGuardError("MIGRATION_FAILED", `the machine did not come: ${error.message}`, {
    hint: "try again: nothing of it was taken",
    cause: error,
  });
}
