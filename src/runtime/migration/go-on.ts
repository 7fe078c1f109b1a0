/** A machine all of which came from another host, and whose supervisor was killed before it ran here. */
import { LuminaGuardError } from "../../errors.ts";
import type { Kept } from "../../vm/kept/kept-store.ts";
import { stepReceiver } from "../../vm/migration/handover.ts";
import { readJournal, writeJournal } from "../../vm/migration/journal.ts";
import type { KeptDesk, Started } from "../kept/kept-desk.ts";
import type { ResolveRequest } from "./move-words.ts";

type Word = Pick<ResolveRequest, "token" | "otherIsGone">;

/** Lets it go on here. Raises MIGRATION_IN_DOUBT, and what a start raises. */
export async function goOnHere(desk: KeptDesk, kept: Kept, word: Word): Promise<Started> {
  {
    await using _claim = await desk.store.claimRun(kept);
    await takeArrived(kept, word);
  }
  return desk.run(kept, { hasArrived: true });
}

/** With the sender's token, a person's word, or where it was taken already. */
async function takeArrived(
  { folder, record: { name } }: Pick<Kept, "folder" | "record">,
  { token, otherIsGone }: Word,
): Promise<void> {
  const journal = await readJournal(folder);
  if (journal?.role !== "receiver" || journal.phase === "taken") return;
  if (journal.pin === null) {
    throw new LuminaGuardError(
      "MIGRATION_IN_DOUBT",
      `machine ${name} was not taken out of its file`,
      {
        hint: `luminaguard vm receive ${journal.from}`,
      },
    );
  }
  if (token === null && !otherIsGone) throw notAsked(journal.from);
  const step = token === null ? "other is gone" : { token };
  const phase = stepReceiver(journal.phase, step, journal.tokenHash);
  await writeJournal(folder, { ...journal, phase });
}

/** A person has to say it: the sender is not asked from here. */
export function notAsked(from: string): LuminaGuardError {
  return new LuminaGuardError(
    "MIGRATION_IN_DOUBT",
    `${from} may run the machine, and is not asked from here`,
    {
      hint: "there: luminaguard vm migrate NAME --resolve --there  brings it here, or prints the token that is for here; --other-is-gone if it can never run there again",
    },
  );
}
