/** A real process in a hypervisor's place: it sleeps until it is ended. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { identifyProcess } from "../../src/process/process-identity.ts";
import type { ProcessIdentity } from "../../src/process/process-identity.ts";

export interface Sleeper extends AsyncDisposable {
  readonly identity: ProcessIdentity;
  /** settles with exit code and signal */
  readonly ended: Promise<unknown>;
}

/** @param script what it does, in shell */
export async function startSleeper(script = "sleep 60"): Promise<Sleeper> {
  const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "exit");
  await once(child, "spawn");
  const identity = await identifyProcess(child.pid ?? 0);
  if (identity === undefined) throw new Error("it was started");
  return {
    identity,
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
