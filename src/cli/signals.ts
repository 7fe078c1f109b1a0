/**
 * What a person or the system does to stop a run. Ctrl-C once is passed to the command, so that it
 * may end in its own way; twice, or any other signal, takes the machine away at once.
 */
import { LuminaGuardError } from "../errors.ts";
import { say } from "./io.ts";
import type { CliIo } from "./io.ts";

export interface Signals extends Disposable {
  /** aborted when the machine is to go now */
  readonly signal: AbortSignal;
  /** 128 + N of the signal that ended the run */
  readonly exitCode: number | undefined;
  /** Hands Ctrl-C to the running command; the last caller gets it. */
  readonly onInterrupt: (pass: (() => void) | undefined) => void;
}

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export function watchSignals(io: CliIo): Signals {
  const over = new AbortController();
  let exitCode: number | undefined;
  let pass: (() => void) | undefined;
  let interrupts = 0;
  const end = (name: keyof typeof numbers): void => {
    exitCode ??= 128 + numbers[name];
    over.abort(new LuminaGuardError("CANCELLED", `ended by ${name}`));
    if (!io.stdout.writableNeedDrain && !io.stderr.writableNeedDrain) return;
    // a reader that does not read must not hold up the end
    io.hurry.abort();
    for (const stream of [io.stdout, io.stderr]) stream.destroy();
  };
  const onInterrupt = (): void => {
    interrupts += 1;
    if (interrupts > 1 || pass === undefined) {
      end("SIGINT");
      return;
    }
    say(io, io.style.dim("  passing Ctrl-C to the command; again ends the machine now"));
    pass();
  };
  const onHangUp = (): void => end("SIGHUP");
  const onTerminate = (): void => end("SIGTERM");
  process.on("SIGINT", onInterrupt).on("SIGHUP", onHangUp).on("SIGTERM", onTerminate);
  return {
    signal: over.signal,
    get exitCode() {
      return exitCode;
    },
    onInterrupt: (next) => {
      pass = next;
    },
    [Symbol.dispose]: () => {
      process.off("SIGINT", onInterrupt).off("SIGHUP", onHangUp).off("SIGTERM", onTerminate);
    },
  };
}
