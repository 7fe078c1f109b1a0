/** Puts one question to the cliff, and the card on this terminal where a person must answer it. */
import type { OpenCliff } from "../runtime/cliff-desk.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import type { CliffVerdict, EnvelopeDraft } from "../runtime/values.ts";
import { answerHere } from "./answer-here.ts";
import type { CliIo } from "./io.ts";

export interface AskOptions {
  /** nobody is asked here */
  readonly quiet: boolean;
  /** the person's own word for this one request */
  readonly rules?: readonly { readonly id: string; readonly text: string }[];
  readonly signal?: AbortSignal | undefined;
}

/** Raises what `Cliff.request` raises. */
export async function askOverCliff(
  io: CliIo,
  lumina: LuminaGuard,
  open: OpenCliff,
  draft: EnvelopeDraft,
  { quiet, rules = [], signal }: AskOptions,
): Promise<CliffVerdict> {
  const keyboard = quiet ? undefined : io.openKeyboard();
  const face = keyboard === undefined ? undefined : open.cliff.attach("terminal");
  const failed = new AbortController();
  let answering: Promise<unknown> = Promise.resolve();
  try {
    const verdict = await open.cliff.request(draft, {
      rules,
      signal: AbortSignal.any([failed.signal, ...(signal === undefined ? [] : [signal])]),
      onPending: (card) => {
        if (keyboard === undefined) return;
        answering = answerHere({ io, lumina, open, keyboard, signal }, card);
        // thrown below; a card that nobody can answer any more must not wait for its deadline
        answering.catch(() => failed.abort());
      },
    });
    await answering;
    return verdict;
  } finally {
    face?.[Symbol.dispose]();
    keyboard?.close();
  }
}
