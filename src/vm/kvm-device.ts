/** The kernel's device for hardware virtualization on Linux. That it opens proves little; see canary.ts. */
import { open } from "node:fs/promises";
import { LuminaGuardError, messageOf } from "../errors.ts";

export const kvmDevice = "/dev/kvm";

const fixes: Readonly<Record<string, string>> = {
  ENOENT: "turn virtualization on in the firmware, or allow nested machines on a rented host",
  EACCES: "sudo usermod -aG kvm $USER, then log in again",
  EPERM: "sudo usermod -aG kvm $USER, then log in again",
};

/** Raises HYPERVISOR_UNAVAILABLE with the fix when the device does not open for reading and writing. */
export async function requireKvm(path: string = kvmDevice): Promise<void> {
  try {
    await (await open(path, "r+")).close();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const reason = code === "ENOENT" ? `there is no ${path}` : messageOf(error);
    throw new LuminaGuardError("HYPERVISOR_UNAVAILABLE", `needs KVM: ${reason}`, {
      hint: fixes[code] ?? "see docs/platforms.md#kvm",
      cause: error,
    });
  }
}
