/** Services that still run when this process ends in order end with it, though nobody stopped them. */
import { signalGroup } from "./process-group.ts";
import type { StartedChild } from "./process-group.ts";

const running = new Set<StartedChild>();

/** Remembers a started child until it has exited. */
export function killAtExit(child: StartedChild): void {
  // one listener for all: Node warns of the eleventh
  if (running.size === 0) process.on("exit", killAll);
  running.add(child);
  child.once("exit", () => {
    running.delete(child);
    if (running.size === 0) process.off("exit", killAll);
  });
}

function killAll(): void {
  for (const child of running) signalGroup(child, "SIGKILL");
}
