/** Whether the Windows Hypervisor Platform is there, and QEMU was built to use it. A canary says the rest. */
import { stat } from "node:fs/promises";
import { LuminaGuardError } from "../../../errors.ts";
import { runProgram } from "../../../process/run-program.ts";
import type { QemuBinary, QemuVersions } from "./qemu-binary.ts";

/** what QEMU loads; Windows has it while the optional feature is on */
const platformLibrary = "C:\\Windows\\System32\\WinHvPlatform.dll";
/** VirtualMachinePlatform alone is not enough; docs/system/whpx of QEMU */
export const enableCommand =
  "as administrator: DISM /Online /Enable-Feature /FeatureName:HypervisorPlatform /All, then restart";

/** Raises HYPERVISOR_UNAVAILABLE with the fix. */
export async function requireWhpx(
  binary: QemuBinary,
  versions?: QemuVersions,
  library: string = platformLibrary,
): Promise<void> {
  if ((await stat(library).catch(() => undefined)) === undefined) {
    throw new LuminaGuardError(
      "HYPERVISOR_UNAVAILABLE",
      "the Windows Hypervisor Platform is turned off",
      { hint: enableCommand },
    );
  }
  if ((await listAccelerators(binary, versions)).includes("whpx")) return;
  throw new LuminaGuardError("HYPERVISOR_UNAVAILABLE", "this QEMU was built without WHPX", {
    hint: "install one that has it: winget install SoftwareFreedomConservancy.QEMU",
  });
}

async function listAccelerators(
  { path, fingerprint }: QemuBinary,
  versions?: QemuVersions,
): Promise<readonly string[]> {
  const key = `accelerators of ${fingerprint}`;
  const known = await versions?.get(key);
  if (known !== undefined) return known.split(" ");
  const { stdout } = await runProgram(path, ["-accel", "help"], { timeoutMs: 10_000 });
  // a heading, then one name a line
  const names = stdout.toString("utf8").split(/\r?\n/).slice(1).filter(Boolean);
  await versions?.set(key, names.join(" "));
  return names;
}
