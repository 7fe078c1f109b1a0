/** One step of a boot, which ends with the machine's death, its time limit or the caller's signal. */
import { setTimeout } from "node:timers/promises";
import { withDeadline } from "../base/deadline.ts";
import { LuminaGuardError, isLuminaGuardError } from "../errors.ts";
import type { SpawnConfig } from "./hypervisor.ts";
import type { VmmProcess } from "./vmm-process.ts";

/** time between a hypervisor's last sign and its end, in `ms` */
const dyingMs = 1_000;

/** Raises VM_BOOT_FAILED when the machine ended first, TIMEOUT, the signal's reason, or what the step raises. */
export async function orDeath(
  vmm: Pick<VmmProcess, "exited" | "consoleTail">,
  { spec, clock }: Pick<SpawnConfig, "spec" | "clock">,
  signal: AbortSignal | undefined,
  step: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const scope = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const death = vmm.exited.then(({ reason }) => {
    throw new LuminaGuardError(
      "VM_BOOT_FAILED",
      `the machine ended before it answered: ${reason}`,
      { details: { console: vmm.consoleTail() } },
    );
  });
  try {
    // a dying hypervisor closes the wire first; why it died says more
    const stepped = step(scope).catch(async (error: unknown) => {
      if (isLuminaGuardError(error, "WIRE_BROKEN"))
        await Promise.race([death, setTimeout(dyingMs)]);
      throw error;
    });
    const work = Promise.race([stepped, death]);
    const timeoutMs = spec.bootTimeoutMs;
    await withDeadline(work, { timeoutMs, what: "booting the machine", signal, clock });
  } finally {
    over.abort();
    death.catch(() => undefined);
  }
}
