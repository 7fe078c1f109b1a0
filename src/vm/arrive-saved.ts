/** A machine that was saved on another host and is restored here, with any backend that can do that. */
import { createDeferred } from "../base/deferred.ts";
import { LuminaGuardError } from "../errors.ts";
import type { ArrivingFiles, Hypervisor, SpawnConfig, VmInstance } from "./hypervisor.ts";
import { requireSameKey } from "./save-key.ts";

/**
 * Looks at hypervisor, processor and image before a byte of the machine is taken. Raises SPEC_REFUSED where
 * the backend cannot restore, SNAPSHOT_MISMATCH, and what restoring raises.
 */
export async function arriveSaved(
  hypervisor: Hypervisor,
  arriving: ArrivingFiles,
  config: SpawnConfig,
  signal: AbortSignal,
): Promise<VmInstance> {
  const { name, accelerator } = hypervisor;
  if (hypervisor.restore === undefined) {
    const why = `${name}/${accelerator} cannot take a machine that was saved on another host`;
    throw new LuminaGuardError("SPEC_REFUSED", why, {
      hint: "luminaguard doctor  says which hypervisors this host has",
    });
  }
  if (hypervisor.saveKey !== undefined) {
    requireSameKey(arriving.key, await hypervisor.saveKey(config.spec));
  }
  const { key } = arriving;
  const folder = await arriving.unpack();
  signal.throwIfAborted();
  await waitUnlessAborted((gone) => arriving.settle(gone), signal);
  const instance = await hypervisor.restore({ folder, key }, config, signal);
  arriving.onRunning();
  return instance;
}

async function waitUnlessAborted(
  settle: (gone: Promise<never>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const gone = createDeferred<never>();
  gone.promise.catch(() => undefined); // raced by whoever settles it
  const onAbort = (): void => gone.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await settle(gone.promise);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
