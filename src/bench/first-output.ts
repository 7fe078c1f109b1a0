/** Runs `echo` in a machine: when its output was there, on the clock of `performance.now`. */
import { LuminaGuardError } from "../errors.ts";
import type { Machine } from "../runtime/machine.ts";

export async function firstOutput(machine: Machine, signal: AbortSignal): Promise<number> {
  let at: number | undefined;
  const exec = machine.exec(["echo", "ok"], { cwd: "/", signal });
  for await (const { data } of exec.output) {
    if (data.length > 0) at ??= performance.now();
  }
  if (at !== undefined) return at;
  throw new LuminaGuardError("WIRE_BROKEN", "the machine's echo printed nothing");
}
