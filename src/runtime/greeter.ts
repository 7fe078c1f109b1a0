/** The host's part of a machine's boot, spoken on its wire: the link between `vm` and `wire`. */
import type { Greeter } from "../vm/hypervisor.ts";
import { WireClient } from "../wire/wire-client.ts";

/** shorter than a boot, longer than any answer of a machine that is up, in `ms` */
const coldTryTimeoutMs = 60_000;
/**
 * The guest agent needs about 2 ms to reopen its port after the host left. A machine frozen before
 * that is right all the same, but each clone would do the reopening again.
 */
const reopenMs = 100;

export interface WireGreeter extends Greeter {
  /** the connection that `greet` made */
  readonly wire: () => WireClient;
}

export function createGreeter(): WireGreeter {
  let greeted: WireClient | undefined;
  return {
    prepare: async (socketPath, signal) => {
      const client = await WireClient.connect(socketPath, {
        signal,
        tryTimeoutMs: coldTryTimeoutMs,
      });
      try {
        await client.info({ signal });
        // whatever a first command touches is in memory then, for every clone
        const exec = client.exec({ argv: ["true"], cwd: "/" }, { signal });
        const output = exec.output();
        while ((await output.next()).done !== true);
      } finally {
        client.close();
      }
      await new Promise((resolve) => setTimeout(resolve, reopenMs));
    },
    greet: async (socketPath, vmId, signal) => {
      const client = WireClient.open(socketPath);
      const onAbort = (): void => client.close();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await client.resume(vmId, { signal });
      } catch (error) {
        client.close();
        throw error;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
      greeted = client;
    },
    wire: () => {
      if (greeted === undefined) throw new Error("a spawned machine was greeted");
      return greeted;
    },
  };
}
