import { LuminaGuardError } from "../errors.ts";
import type { Keyboard } from "../tui/keys.ts";
import type { CliIo } from "./io.ts";

/** The controlling terminal's. Raises APPROVAL_DENIED where no person is. */
export function needKeyboard(io: CliIo): Keyboard & Disposable {
  const keyboard = io.openKeyboard();
  if (keyboard !== undefined) return { ...keyboard, [Symbol.dispose]: () => keyboard.close() };
  throw new LuminaGuardError("APPROVAL_DENIED", "there is no terminal to answer on", {
    hint: "run it in a terminal, with stderr on the screen",
  });
}
