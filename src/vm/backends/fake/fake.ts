/**
 * A hypervisor without machines, for dry runs and tests. Whoever makes one hands in the guest: what
 * answers on the machine's socket. Nothing is ever run on the host.
 */
import { randomBytes } from "node:crypto";
import { createDeferred } from "../../../base/deferred.ts";
import type { Deferred } from "../../../base/deferred.ts";
import { withDeadline } from "../../../base/deadline.ts";
import type {
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SpawnConfig,
  VmExit,
  VmInstance,
} from "../../hypervisor.ts";
import { createMachineFolder } from "../../register/machine-folder.ts";
import type { MachineFolder } from "../../register/machine-folder.ts";

/** What answers on a fake machine's socket. */
export interface FakeGuest {
  /** settles when the guest ended itself */
  readonly ended: Promise<void>;
  readonly close: () => Promise<void>;
}

export interface FakeHypervisorOptions {
  readonly runtimeDir: string;
  /** starts a guest listening on the socket */
  readonly startGuest: (socketPath: string) => Promise<FakeGuest>;
}

export class FakeHypervisor implements Hypervisor {
  readonly name = "fake";
  readonly accelerator = "none";
  readonly features: HypervisorFeatures = Object.freeze({
    templates: false,
    hardwareVirtualization: false,
  });
  readonly #options: FakeHypervisorOptions;

  constructor(options: FakeHypervisorOptions) {
    this.#options = options;
  }

  probe(): Promise<Probe> {
    return Promise.resolve({ kind: "ready", version: "1" });
  }

  check(): readonly string[] {
    return [];
  }

  async spawn(config: SpawnConfig, signal?: AbortSignal): Promise<VmInstance> {
    const startedAt = performance.now();
    signal?.throwIfAborted();
    config.onPhase?.("booting");
    const folder = await createMachineFolder(this.#options.runtimeDir, false);
    if (config.onFrozen !== undefined) folder.watchFrozen(config.onFrozen);
    await folder.recordProcess(null);
    const socketPath = wirePathOf(folder);
    const guest = await this.#options.startGuest(socketPath);
    const machine = watchGuest(guest, folder);
    const boot = new AbortController();
    try {
      const greeted = config.greeter.greet(socketPath, folder.id, boot.signal);
      const { bootTimeoutMs } = config.spec;
      await withDeadline(greeted, {
        timeoutMs: bootTimeoutMs,
        what: "booting the machine",
        signal,
        clock: config.clock,
      });
    } catch (error) {
      boot.abort(error);
      await machine.end();
      throw error;
    }
    return {
      id: folder.id,
      pid: 0,
      socketPath,
      spawnTimeMs: performance.now() - startedAt,
      kind: "cold",
      exited: machine.exited,
      stop: machine.end,
      kill: machine.end,
    };
  }
}

/** Windows has named pipes where others have sockets in the file system. */
function wirePathOf({ path }: MachineFolder): string {
  if (process.platform !== "win32") return `${path}/wire.sock`;
  return `\\\\.\\pipe\\luminaguard-${randomBytes(16).toString("hex")}`;
}

function watchGuest(
  guest: FakeGuest,
  folder: MachineFolder,
): { readonly exited: Promise<VmExit>; readonly end: () => Promise<void> } {
  const exited: Deferred<VmExit> = createDeferred();
  let requested = false;
  void guest.ended.then(async () => {
    await folder.remove();
    exited.resolve({ requested, reason: "the fake guest ended" });
  });
  return {
    exited: exited.promise,
    end: async () => {
      requested = true;
      await guest.close();
      await exited.promise;
    },
  };
}
