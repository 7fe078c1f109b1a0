/** How far a machine's move has come, on disk beside the machine: what a person decides by after a cut. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { LuminaGuardError } from "../../errors.ts";
import type { ReceiverPhase, SenderPhase } from "./handover.ts";

export interface SenderJournal {
  readonly version: 1;
  readonly role: "sender";
  /** of this move */
  readonly id: string;
  readonly phase: SenderPhase;
  /** when the move began, ISO 8601 */
  readonly since: string;
  /** where the machine goes: HOST:PORT, or a file */
  readonly to: string;
  /** the receiver's key; null: it goes into a file */
  readonly pin: string | null;
  readonly token: string;
  /** null: it has not accepted yet */
  readonly proofHash: string | null;
}

export interface ReceiverJournal {
  readonly version: 1;
  readonly role: "receiver";
  readonly id: string;
  readonly phase: ReceiverPhase;
  /** address of the sender, or the file, for a person */
  readonly from: string;
  /** the sender's key; null: it comes out of a file */
  readonly pin: string | null;
  readonly proof: string;
  readonly tokenHash: string;
}

export type Journal = SenderJournal | ReceiverJournal;

const name = "move.json";
const word = v.pipe(v.string(), v.maxLength(4096));

const schema: v.GenericSchema<unknown, Journal> = v.variant("role", [
  v.strictObject({
    version: v.literal(1),
    role: v.literal("sender"),
    id: word,
    phase: v.picklist(["copying", "given", "gone", "stays"]),
    since: word,
    to: word,
    pin: v.nullable(word),
    token: word,
    proofHash: v.nullable(word),
  }),
  v.strictObject({
    version: v.literal(1),
    role: v.literal("receiver"),
    id: word,
    phase: v.picklist(["copying", "ready", "taken", "declined"]),
    from: word,
    pin: v.nullable(word),
    proof: word,
    tokenHash: word,
  }),
]);

/** On the disk when this resolves. Raises HOST_LIMIT. */
export async function writeJournal(folder: string, journal: Journal): Promise<void> {
  await writeFileAtomic(join(folder, name), `${JSON.stringify(journal)}\n`).catch(
    (error: unknown) => {
      throw toHostError(error, "how far the move is cannot be written down");
    },
  );
}

/** Undefined when the machine never moved. Raises STORE_FAILED when it cannot be read. */
export async function readJournal(folder: string): Promise<Journal | undefined> {
  try {
    return v.parse(schema, JSON.parse(await readFile(join(folder, name), "utf8")));
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw new LuminaGuardError("STORE_FAILED", `${join(folder, name)} cannot be read`, { cause });
  }
}

export async function forgetJournal(folder: string): Promise<void> {
  await rm(join(folder, name), { force: true });
}
