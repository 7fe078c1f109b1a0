/** What a backend cannot honour is refused before anything starts, never left out in silence. */
import { LuminaGuardError } from "../errors.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { VmSpec } from "./spec.ts";

/** Raises SPEC_REFUSED with everything that it cannot honour. */
export function requireHonoured(
  hypervisor: Pick<Hypervisor, "name" | "check">,
  spec: VmSpec,
): void {
  const refusals = hypervisor.check(spec);
  if (refusals.length === 0) return;
  const what = refusals.join("; ");
  throw new LuminaGuardError("SPEC_REFUSED", `${hypervisor.name} cannot run this machine: ${what}`);
}

/** For backends whose machines have no network card, whatever a person approved. */
export function refuseNic({ nic }: VmSpec): readonly string[] {
  return nic === "none" ? [] : [`a network card (--nic ${nic}): only qemu gives one`];
}

/** For backends that have no Rosetta to give. */
export function refuseRosetta({ rosetta }: VmSpec): readonly string[] {
  return rosetta ? ["Rosetta (--rosetta): only vfkit gives it, on a Mac with Apple silicon"] : [];
}
