/** The controlling terminal's keyboard, for as long as it is needed. */
import { LuminaGuardError } from "../errors.ts";
import type { Keyboard } from "../tui/keys.ts";
import type { CliIo } from "./io.ts";

/** Undefined where no person is, or none is to be asked. */
export function findKeyboard(io: CliIo, isQuiet: boolean): (Keyboard & Disposable) | undefined {
  const keyboard = isQuiet ? undefined : io.openKeyboard();
  return keyboard && { ...keyboard, [Symbol.dispose]: () => keyboard.close() };
}

/** Raises APPROVAL_DENIED where no person is. */
export function needKeyboard(io: CliIo): Keyboard & Disposable {
  const keyboard = findKeyboard(io, false);
  if (keyboard !== undefined) return keyboard;
  throw new LuminaGuardError("APPROVAL_DENIED", "there is no terminal to answer on", {
    hint: "run it in a terminal, with stderr on the screen",
  });
}
