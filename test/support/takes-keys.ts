/** A card on a terminal takes keys a while after it was drawn: until then a harmless one is pressed. */
import { eventually } from "./eventually.ts";
import type { Terminal } from "./terminal.ts";

/** Resolves with the card once a key is an answer. */
export async function takesKeys(terminal: Terminal): Promise<string> {
  const card = await terminal.sees("[r] reject");
  await eventually("a key is taken", async () => {
    terminal.press("?");
    const isTaken = (): boolean => terminal.screen().includes("any key goes back");
    return eventually("its answer", isTaken, 700).catch(() => false);
  });
  terminal.press("x");
  await terminal.sees("[r] reject");
  return card;
}
