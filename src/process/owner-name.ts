/** A process as one word, `<pid>-<start ticks>`, so that others can ask whether it is still there. */
import { identifyNow, identifySelf } from "./process-identity.ts";

/** This process. */
export function ownerName(): string {
  const { pid, startTicks } = identifySelf();
  return `${pid}-${startTicks ?? "x"}`;
}

/** Whether the very process of that name is still there; not for a word that is no name. */
export function isOwnerRunning(name: string): boolean {
  const [, pid, ticks] = /^(\d{1,10})-(\d+|x)$/.exec(name) ?? [];
  if (pid === undefined) return false;
  const now = identifyNow(Number(pid));
  return now !== undefined && String(now.startTicks ?? "x") === ticks;
}
