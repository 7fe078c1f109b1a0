/** One line that says what is being waited for, on a terminal only, and gone when it is over. */
import { escapeText } from "../base/escape-text.ts";
import type { SpawnOptions } from "../runtime/luminaguard.ts";
import type { CliIo } from "./io.ts";

export interface Progress {
  readonly show: NonNullable<SpawnOptions["onPhase"]>;
  readonly clear: () => void;
}

/** Anything quicker than this needs no words. */
const quietMs = 400;
const words = {
  booting: "booting a machine",
  cloning: "cloning a machine",
  restoring: "restoring a machine",
  "freezing template": "first use of this image: booting it once and freezing it",
} as const;

export function createProgress(io: CliIo): Progress {
  let text = "";
  let shown = false;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    timer = undefined;
    shown = true;
    const line = `  … ${text}`.slice(0, io.columns - 1);
    io.stderr.write(`\r\u001b[K${io.style.dim(line)}`);
  };
  return {
    show: (phase) => {
      if (!io.isInteractive) return;
      text =
        typeof phase === "string"
          ? words[phase]
          : `building the image: ${escapeText(phase.detail)}`;
      if (shown) draw();
      else timer ??= setTimeout(draw, quietMs);
    },
    clear: () => {
      clearTimeout(timer);
      timer = undefined;
      if (shown) io.stderr.write("\r\u001b[K");
      shown = false;
    },
  };
}
