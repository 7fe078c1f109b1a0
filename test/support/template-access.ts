import { atLeast } from "../../src/base/version.ts";
import type { LuminaGuard } from "../../src/runtime/luminaguard.ts";

/** Whether a clone's hypervisor opens its template's memory for reading only, as QEMU can from 8.2 on. */
export async function opensTemplatesReadOnly(lumina: LuminaGuard): Promise<boolean> {
  const { hypervisor } = await lumina.host.select(await lumina.host.openImage("base"));
  const probe = await hypervisor.probe();
  if (probe.kind !== "ready") throw new Error(probe.reason);
  return atLeast(probe.version, "8.2.0");
}
