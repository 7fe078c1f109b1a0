/** Puts one question to the cliff, and its card on this terminal where a person must answer it. */
import type { OpenCliff } from "../runtime/cliff/cliff-desk.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { ApplyResult, CliffVerdict, EnvelopeDraft } from "../runtime/values.ts";
import type { Keyboard } from "../tui/keys.ts";
import { answerHere } from "./answer-here.ts";
import type { CliIo } from "./io.ts";

export interface AskingHere {
  readonly io: CliIo;
  readonly lumina: LuminaGuard;
  readonly open: OpenCliff;
  /** undefined: nobody is asked here */
  readonly keyboard: Keyboard | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the cliff takes beside the question, but for what this face sees to. */
type Wishes = Omit<
  NonNullable<Parameters<OpenCliff["cliff"]["request"]>[1]>,
  "signal" | "onPending"
>;

export interface Asked {
  readonly verdict: CliffVerdict;
  /** a part was chosen on the card, and is written already */
  readonly edited: ApplyResult | undefined;
}

/** Raises what `Cliff.request` raises, and what a face that failed raised. */
export async function askOverCliff(
  { io, lumina, open, keyboard, signal }: AskingHere,
  draft: EnvelopeDraft,
  wishes: Wishes = {},
): Promise<Asked> {
  const face = keyboard === undefined ? undefined : open.cliff.attach("terminal");
  const failed = new AbortController();
  let answering: Promise<ApplyResult | undefined> = Promise.resolve(undefined);
  try {
    const verdict = await open.cliff.request(draft, {
      ...wishes,
      signal: AbortSignal.any([failed.signal, ...(signal === undefined ? [] : [signal])]),
      onPending: (card) => {
        if (keyboard === undefined) return;
        answering = answerHere({ io, lumina, open, keyboard, signal }, card);
        // thrown below; a card that nobody can answer any more must not wait for its deadline
        answering.catch(() => failed.abort());
      },
    });
    return { verdict, edited: await answering };
  } finally {
    face?.[Symbol.dispose]();
  }
}
