/** Whether a machine stands still because nobody decided yet where it goes on, and what decides it. */
import type { KeptRecord } from "../kept/kept-record.ts";
import { findArrival } from "./arrival.ts";
import { readJournal } from "./journal.ts";
import type { ReceiverJournal, SenderJournal } from "./journal.ts";

export interface Doubt {
  /** for a person */
  readonly why: string;
  /** what decides it */
  readonly hint: string;
}

type State = "new" | "starting" | "running" | "stopped" | "failed";

/** Null: it is not in doubt. */
export async function findDoubt(
  folder: string,
  { name }: KeptRecord,
  state: State,
): Promise<Doubt | null> {
  const journal = await readJournal(folder).catch(() => undefined); // told when it is moved
  const lives = state === "running" || state === "starting";
  if (journal?.role === "sender") return doubtOfSender(journal, name, lives);
  if (journal?.role !== "receiver") return null;
  const hasArrived = (await findArrival(folder).catch(() => undefined)) !== undefined;
  return doubtOfReceiver(journal, name, { state, hasArrived });
}

function doubtOfSender(
  { phase, to, pin }: SenderJournal,
  name: string,
  lives: boolean,
): Doubt | null {
  if (phase !== "given") return null;
  const decide = `luminaguard vm migrate ${name} --resolve --there`;
  if (pin !== null) {
    const why = `it stands still: it may be at ${to} already`;
    return lives
      ? { why, hint: `${decide}  (or --here)  decides` }
      : { why: `it ended here, and may be at ${to}`, hint: `${decide}  lets it go on there` };
  }
  return lives
    ? {
        why: `it stands still: it is in ${to}`,
        hint: `luminaguard vm receive ${to}  takes it; ${decide}  (or --here)  decides`,
      }
    : {
        why: `it ended here, and is in ${to}`,
        hint: `${decide}  and then: luminaguard vm receive ${to}`,
      };
}

function doubtOfReceiver(
  { phase, from, pin }: ReceiverJournal,
  name: string,
  { state, hasArrived }: { readonly state: State; readonly hasArrived: boolean },
): Doubt | null {
  const lives = state === "running" || state === "starting";
  if (phase === "taken" && hasArrived && !lives) {
    const hint = `luminaguard vm migrate ${name} --resolve --here  lets it go on`;
    return { why: `it came from ${from} and did not run yet`, hint };
  }
  if (phase !== "ready" || (!hasArrived && state !== "starting")) return null;
  if (pin === null) {
    return lives
      ? null // it is being taken at this moment
      : { why: `it was not taken out of ${from}`, hint: `luminaguard vm receive ${from}` };
  }
  return {
    why: `it stands still: ${from} may run it`,
    hint: "there: luminaguard vm migrate NAME --resolve --there  (or --here)  decides",
  };
}
