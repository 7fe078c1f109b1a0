/** The host's part of a machine's boot, spoken on its wire: the link between `vm` and `wire`. */
import { setTimeout } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { isLuminaGuardError } from "../errors.ts";
import type { Greeter, WirePlace } from "../vm/hypervisor.ts";
import { vmLimits } from "../vm/spec.ts";
import { WireClient } from "../wire/wire-client.ts";

/** shorter than a boot, longer than any answer of a machine that is up, in `ms` */
const coldTryTimeoutMs = 60_000;
/** whoever waits has a limit of its own, which comes first; in `ms` */
const reachTimeoutMs = vmLimits.bootTimeoutMsMax;
/** an agent that took a connection answers it well within this time, in `ms` */
const reachTryMs = 5_000;
/**
 * The guest agent needs about 2 ms to reopen its port after the host left. A machine frozen before
 * that is right all the same, but each clone would do the reopening again.
 */
const reopenMs = 100;
/**
 * A restored machine's agent is still in the middle of what the host before said to it, and may take the
 * first greeting for more of that: docs/wire.md. In `ms`; a busy host needs longer.
 */
const restoredTryTimeoutMs = 1_000;

/** between two tries to reach a guest again, in `ms` */
const reopenRetryMs = 5;

export interface WireGreeter extends Greeter {
  /** the connection that `greet` made, or the last `reopen` */
  readonly wire: () => WireClient;
}

/**
 * @param clock what every wait for the guest is counted on
 * @param isRestored the machine had another host before
 */
export function createGreeter(clock?: Clock, isRestored = false): WireGreeter {
  let greeted: WireClient | undefined;
  const wire = (): WireClient => {
    if (greeted === undefined) throw new Error("a spawned machine was greeted");
    return greeted;
  };
  return {
    prepare: async (socketPath, signal) => {
      const client = await WireClient.connect(socketPath, {
        signal,
        tryTimeoutMs: coldTryTimeoutMs,
        clock,
      });
      try {
        // whatever a clone's first requests touch is in memory then, for every clone
        await client.resume("template", { signal });
        for (const argv of [["true"], ["sh", "-c", "echo ready"]]) {
          await warm(client, argv, signal);
        }
        await client.scrub({ signal, timeoutMs: coldTryTimeoutMs });
      } finally {
        client.close();
      }
      await setTimeout(reopenMs);
    },
    reach: async (socketPath, signal) => {
      const options = { signal, timeoutMs: reachTimeoutMs, tryTimeoutMs: reachTryMs, clock };
      (await WireClient.connect(socketPath, options)).close();
    },
    greet: async (place, vmId, signal) => {
      greeted = isRestored
        ? await greetRestored(place, vmId, signal, clock)
        : await greetOn(WireClient.open(place, clock), vmId, signal);
    },
    reopen: (place) => {
      greeted = WireClient.open(place, clock);
      return async (signal) => {
        for (let timeoutMs = reachTryMs; ; timeoutMs *= 2) {
          try {
            await wire().info({ signal, timeoutMs });
            return;
          } catch (error) {
            signal.throwIfAborted();
            if (!isPassing(error)) throw error;
          }
          await setTimeout(reopenRetryMs, undefined, { signal });
          wire().close();
          greeted = WireClient.open(place, clock);
        }
      };
    },
    measureClock: async (signal) => {
      const client = wire();
      const before = await readClocks(client, signal);
      await setTimeout(clockSpanMs, undefined, { signal });
      const after = await readClocks(client, signal);
      return (after.guestMs - before.guestMs) / (after.hostMs - before.hostMs);
    },
    wire,
  };
}

/** Runs a command for what it brings into memory; an image from outside may have none of its kind. */
async function warm(
  client: WireClient,
  argv: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  try {
    const output = client.exec({ argv, cwd: "/" }, { signal }).output();
    while ((await output.next()).done !== true);
  } catch (error) {
    const isMissing = ["EXEC_NOT_FOUND", "EXEC_NOT_EXECUTABLE"].some((code) =>
      isLuminaGuardError(error, code as "EXEC_NOT_FOUND"),
    );
    if (!isMissing) throw error;
  }
}

/** Says hello on a connection, which is closed where that fails. */
async function greetOn(
  client: WireClient,
  vmId: string,
  signal: AbortSignal,
  timeoutMs?: number,
): Promise<WireClient> {
  const onAbort = (): void => client.close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await client.resume(vmId, { signal, timeoutMs });
    return client;
  } catch (error) {
    client.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Says hello at once, and again, each time for longer, until the signal ends it: what the agent still says to
 * the host before would break the connection of this one. To be greeted twice does a machine no harm.
 */
async function greetRestored(
  place: WirePlace,
  vmId: string,
  signal: AbortSignal,
  clock?: Clock,
): Promise<WireClient> {
  let client: WireClient | undefined = WireClient.open(place, clock);
  for (let timeoutMs = restoredTryTimeoutMs; ; timeoutMs *= 2) {
    try {
      client ??= await WireClient.connect(place, { signal, timeoutMs, clock });
      return await greetOn(client, vmId, signal, timeoutMs);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      client = undefined;
    }
  }
}

/** What another try may mend. */
function isPassing(error: unknown): boolean {
  return isLuminaGuardError(error, "WIRE_BROKEN") || isLuminaGuardError(error, "TIMEOUT");
}

/** over this span a reading's error of about 1 ms is 0.05 % */
const clockSpanMs = 2_000;

/** Both clocks at one moment: the quickest of a few answers is the one that says it best. */
async function readClocks(
  client: WireClient,
  signal?: AbortSignal,
): Promise<{ readonly guestMs: number; readonly hostMs: number }> {
  let best = { guestMs: 0, hostMs: 0, tookMs: Infinity };
  for (let reading = 0; reading < 8; reading += 1) {
    const askedAt = performance.now();
    const { uptimeMs } = await client.info({ signal });
    const tookMs = performance.now() - askedAt;
    if (tookMs < best.tookMs) {
      best = { guestMs: uptimeMs, hostMs: askedAt + tookMs / 2, tookMs };
    }
  }
  return best;
}
