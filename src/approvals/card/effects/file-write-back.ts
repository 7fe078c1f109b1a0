import type { FileWriteBack } from "../../effect.ts";
import { showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

/** The flags stand at the files. */
export function describeFileWriteBack({ root }: FileWriteBack): EffectWords {
  const onYes = `exactly these contents are written into ${showName(root)}; all of them, or nothing`;
  return { onYes, flags: [], facts: [] };
}
