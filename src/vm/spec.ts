/** What a machine is to be, said without naming a backend. Checked once, frozen, passed down. */
import { LuminaGuardError } from "../errors.ts";

/** The files a machine boots from, verified by whoever hands them in. */
export interface VmImage {
  /** sha256 of the image's manifest, 64 hex digits */
  readonly digest: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
  /** read-only root layer; absent for images that are all in the initramfs */
  readonly layerPath?: string | undefined;
}

/** `user`: a card in a network of the hypervisor's own, through which every address is reached that the host reaches */
export type Nic = "none" | "user";

export interface VmSpecOptions {
  readonly image: VmImage;
  /** virtual processors
   * @default 1 */
  readonly vcpus?: number | undefined;
  /** memory of the machine in `MiB`
   * @default 512 */
  readonly memoryMib?: number | undefined;
  /** longest time from the start of the hypervisor until the guest answers, in `ms`
   * @default 60_000 */
  readonly bootTimeoutMs?: number | undefined;
  /** @default "none" */
  readonly nic?: Nic | undefined;
  /** programs for x86-64 run on Apple silicon, by Apple's Rosetta
   * @default false */
  readonly rosetta?: boolean | undefined;
}

export interface VmSpec {
  readonly image: VmImage;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly bootTimeoutMs: number;
  readonly nic: Nic;
  readonly rosetta: boolean;
}

/** Smallest and largest values a spec may hold. */
export const vmLimits = {
  memoryMibMin: 96,
  memoryMibMax: 65_536,
  vcpusMax: 32,
  bootTimeoutMsMax: 600_000,
} as const;

/** Defaults filled in and bounds checked. Raises CONFIG_INVALID. */
export function resolveVmSpec(options: VmSpecOptions): VmSpec {
  const { image, vcpus = 1, memoryMib = 512, bootTimeoutMs = 60_000 } = options;
  const { nic = "none", rosetta = false } = options;
  requireWhole("memoryMib", memoryMib, vmLimits.memoryMibMin, vmLimits.memoryMibMax);
  requireWhole("vcpus", vcpus, 1, vmLimits.vcpusMax);
  requireWhole("bootTimeoutMs", bootTimeoutMs, 1, vmLimits.bootTimeoutMsMax);
  return Object.freeze({
    image: Object.freeze({ ...image }),
    vcpus,
    memoryMib,
    bootTimeoutMs,
    nic,
    rosetta,
  });
}

function requireWhole(name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new LuminaGuardError("CONFIG_INVALID", `${name} is ${value}`, {
    hint: `use a whole number from ${min} to ${max}`,
    details: { name, value, min, max },
  });
}
