/**
 * The end of a service, step by step, as MCP wants it for stdio servers (2026-07-28, basic/transports,
 * stdio shutdown): close its input, wait, SIGTERM, wait, SIGKILL; here for its whole group.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { LuminaGuardError } from "../errors.ts";
import { readFamily, signalProcess } from "./process-family.ts";
import { hasExited, isGroupRunning, signalGroup } from "./process-group.ts";
import type { StartedChild } from "./process-group.ts";
import { identifyNow } from "./process-identity.ts";

/** how often is looked whether members are left whose leader has ended, in `ms` */
const lookAgainMs = 20;
/** longest wait for a process that was sent SIGKILL, in `ms` */
const killedMs = 5_000;

/**
 * Settles when nothing of the group is left; rejects with PROCESS_FAILED when SIGKILL ends it not.
 * @param graceMs wait in `ms` before each harder step
 */
export async function stopService(leader: StartedChild, graceMs: number): Promise<void> {
  leader.stdin?.end();
  await waitForExit(leader, graceMs);
  if (hasExited(leader) && !isGroupRunning(leader)) return;
  signalGroup(leader, "SIGTERM");
  if (await isGoneWithin(leader, graceMs)) return;
  killFamily(leader);
  await waitForExit(leader, killedMs);
  if (!hasExited(leader)) {
    throw new LuminaGuardError("PROCESS_FAILED", `process ${leader.pid} cannot be ended`, {
      hint: "the kernel keeps it in a call that does not return; look at the disk or share it uses",
    });
  }
}

/** The group, and what left it but is still there as a child of a member that can be found. */
function killFamily(leader: StartedChild): void {
  const first = hasExited(leader) ? undefined : identifyNow(leader.pid);
  const family = first === undefined ? [] : readFamily(first);
  signalGroup(leader, "SIGKILL");
  for (const member of family) signalProcess(member, "SIGKILL");
}

async function isGoneWithin(leader: StartedChild, timeoutMs: number): Promise<boolean> {
  const endsAt = performance.now() + timeoutMs;
  await waitForExit(leader, timeoutMs);
  while (isGroupRunning(leader)) {
    if (performance.now() >= endsAt) return false;
    await sleep(lookAgainMs);
  }
  return true;
}

async function waitForExit(leader: StartedChild, timeoutMs: number): Promise<void> {
  if (hasExited(leader)) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(finish, timeoutMs);
    function finish(): void {
      clearTimeout(timer);
      leader.off("exit", finish);
      resolve();
    }
    leader.once("exit", finish);
  });
}
