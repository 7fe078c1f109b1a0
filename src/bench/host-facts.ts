/** The machine that was measured: everything that moves the numbers. */
import { cpus, release, totalmem } from "node:os";
import type { Image } from "../image/image-store.ts";
import type { Selection } from "../vm/choice/select.ts";

export interface HostFacts {
  /** platform, architecture and what ran the machines, such as "linux x64 qemu/tcg" */
  readonly lane: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryMib: number;
  /** platform, release and architecture of the host's kernel */
  readonly kernel: string;
  readonly node: string;
  /** name, version and accelerator of what ran the machines, such as "qemu 7.2.22, tcg" */
  readonly hypervisor: string;
  /** image that was booted, by digest */
  readonly image: string;
  readonly guestKernel: string;
  /** day of the measurement, as in 2026-01-31 */
  readonly date: string;
}

export function readHostFacts(image: Image, selection: Selection): HostFacts {
  const processors = cpus();
  const { hypervisor } = selection;
  return {
    lane: `${process.platform} ${process.arch} ${hypervisor.name}/${hypervisor.accelerator}`,
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryMib: Math.round(totalmem() / 1024 ** 2),
    kernel: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    hypervisor: `${hypervisor.name} ${selection.version}, ${hypervisor.accelerator}`,
    image: image.digest,
    guestKernel: image.manifest.kernelRelease,
    date: new Date().toISOString().slice(0, 10),
  };
}
