/** A hypervisor whose every step a test decides: when a spawn succeeds or fails, when a machine ends. */
import { createDeferred } from "../../src/base/deferred.ts";
import type { Deferred } from "../../src/base/deferred.ts";
import type { Hypervisor, Probe, VmExit, VmInstance } from "../../src/vm/hypervisor.ts";

export interface ScriptedHypervisor extends Hypervisor {
  /** how often it was asked, and its machine was asked to end or taken */
  readonly calls: { spawn: number; stop: number; kill: number };
  readonly succeed: () => void;
  readonly fail: (reason: Error) => void;
  /** the machine ends */
  readonly die: () => void;
  /** `stop` of the machine rejects with this */
  failStop: Error | undefined;
  /** the signal that the spawn was given */
  signal: AbortSignal | undefined;
}

/** @param honoursAbort a spawn ends when its signal is aborted; else it goes on regardless */
export function createScriptedHypervisor(honoursAbort: boolean): ScriptedHypervisor {
  const calls = { spawn: 0, stop: 0, kill: 0 };
  const spawned: Deferred<VmInstance> = createDeferred();
  const exited: Deferred<VmExit> = createDeferred();
  let requested = false;
  const end = (): void => exited.resolve({ requested, reason: "it ended" });
  const self: ScriptedHypervisor = {
    name: "scripted",
    accelerator: "none",
    features: { templates: false, hardwareVirtualization: false },
    calls,
    failStop: undefined,
    signal: undefined,
    probe: (): Promise<Probe> => Promise.resolve({ kind: "ready", version: "1" }),
    check: () => [],
    spawn: (_config, signal) => {
      calls.spawn += 1;
      self.signal = signal;
      const onAbort = (): void => spawned.reject(signal?.reason);
      if (honoursAbort) signal?.addEventListener("abort", onAbort, { once: true });
      return spawned.promise;
    },
    succeed: () => {
      spawned.resolve({
        id: "vm-00001",
        pid: 0,
        socketPath: "",
        spawnTimeMs: 1,
        kind: "cold",
        exited: exited.promise,
        stop: async () => {
          calls.stop += 1;
          requested = true;
          if (self.failStop !== undefined) throw self.failStop;
          await exited.promise;
        },
        kill: async () => {
          calls.kill += 1;
          requested = true;
          end();
          await exited.promise;
        },
      });
    },
    fail: (reason) => spawned.reject(reason),
    die: end,
  };
  return self;
}
