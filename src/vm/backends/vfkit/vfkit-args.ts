/**
 * From a machine's spec to vfkit's command line, and what in a spec that command line cannot say. Pure.
 * Options: doc/usage.md of crc-org/vfkit; its own parser reads what is made here in test/vfkit/.
 */
import { commonKernelArgs } from "../../kernel/kernel-args.ts";
import type { VmSpec } from "../../spec.ts";

export interface VfkitPaths {
  /** connecting to it reaches the guest agent */
  readonly wire: string;
  /** where vfkit answers about the machine's state */
  readonly rest: string;
  /** what the machine writes on its console */
  readonly console: string;
}

export interface VfkitHost {
  /** the framework gives a machine no more processors than the host has */
  readonly processors: number;
  readonly memoryBytes: number;
  readonly architecture: string;
}

/** port on which the guest agent listens (guest/internal/link/vsock.go) */
const wirePort = 1024;

/** what the guest agent looks for (guest/internal/boot/rosetta.go) */
const rosettaTag = "rosetta";

/**
 * A guest that restarts would be started again by the framework, empty; one that powers off has ended.
 * `hvc0` is the framework's virtio console.
 */
const kernelArgs = `console=hvc0 ${commonKernelArgs} luminaguard.end=poweroff`;

export function buildVfkitArgs(spec: VmSpec, paths: VfkitPaths): readonly string[] {
  const { kernelPath, initramfsPath, layerPath } = spec.image;
  const bootloader = `linux,kernel=${kernelPath},initrd=${initramfsPath},cmdline="${kernelArgs}"`;
  return [
    ...["--cpus", String(spec.vcpus), "--memory", String(spec.memoryMib)],
    ...["--bootloader", bootloader],
    // every machine of an image reads this one file, and none may change it
    ...(layerPath === undefined ? [] : ["--device", `virtio-blk,path=${layerPath},readonly`]),
    ...["--device", "virtio-rng"],
    ...["--device", `virtio-serial,logFilePath=${paths.console}`],
    ...["--device", `virtio-vsock,port=${wirePort},socketURL=${paths.wire},connect`],
    // it is not installed by the way: whoever asks for it is told how
    ...(spec.rosetta ? ["--device", `rosetta,mountTag=${rosettaTag}`] : []),
    ...["--restful-uri", `unix://${paths.rest}`, "--log-level", "error"],
  ];
}

/** Why vfkit cannot run this machine; empty when it can. */
export function refuseSpec(spec: VmSpec, host: VfkitHost): readonly string[] {
  const { kernelPath, initramfsPath, layerPath } = spec.image;
  const paths = [kernelPath, initramfsPath, layerPath].filter((path) => path !== undefined);
  const unsayable = paths.find((path) => /[,"]/.test(path));
  return [
    ...(spec.vcpus > host.processors
      ? [`${spec.vcpus} vcpus: the host has ${host.processors} processors`]
      : []),
    ...(spec.memoryMib * 1024 ** 2 > host.memoryBytes
      ? [`${spec.memoryMib} MiB of memory: the host has less`]
      : []),
    ...(spec.rosetta && host.architecture !== "arm64"
      ? ["Rosetta (--rosetta): this Mac has an Intel processor"]
      : []),
    ...(unsayable === undefined ? [] : [`${unsayable}: no comma or quote can be in a path`]),
  ];
}

/** vfkit reads its sockets' paths as URLs: only what means itself in one can be in them. */
export function isSayableSocket(path: string): boolean {
  return /^[\w/.~+@-]+$/.test(path);
}
