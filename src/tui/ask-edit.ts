/** [e]: the arguments of a call in the person's own editor. What comes of it is a card of its own. */
import { escapeText } from "../base/escape-text.ts";
import { isLuminaGuardError } from "../errors.ts";
import type { CallEdit, EditedCall } from "../runtime/cliff/edit-call.ts";
import type { Dialogue } from "./dialogue.ts";

export interface EditEnd {
  /** as it was saved, so that a mistake can be mended and is not lost */
  readonly text: string;
  readonly edited: EditedCall;
}

/** Opens the text that was saved last. A failing editor changes nothing, and is told as a mistake. */
export async function askEdit(dialogue: Dialogue, edit: CallEdit, text: string): Promise<EditEnd> {
  let saved: string | undefined;
  try {
    await dialogue.lend(async (signal) => void (saved = await edit.open(text, signal)));
  } catch (error) {
    if (!isLuminaGuardError(error, "PROCESS_FAILED")) throw error;
    return { text, edited: { kind: "mistake", why: error.message } };
  }
  // its time was over: whatever was saved by then counts for nothing
  if (saved === undefined) return { text, edited: { kind: "same" } };
  const edited = edit.read(saved);
  if (edited.kind !== "mistake") return { text: edit.text, edited };
  return { text: saved, edited: { kind: "mistake", why: escapeText(edited.why) } };
}
