/**
 * From a machine's spec to QEMU's command line. Pure. Every accelerator is the same backend: what
 * differs is the machine type, the processor model and the kind of bus, in one table.
 * Options: QEMU's system/invocation manual; `tsc_early_khz` is what makes microvm boot every time
 * under emulation, where calibrating the time-stamp counter against an emulated timer can hang. It
 * is also the rate by which the machine then keeps time, so it has to be the host's own;
 * `tsc=reliable` keeps the kernel from comparing it with emulated ticks that come late.
 */
import { commonKernelArgs } from "../../kernel/kernel-args.ts";
import type { Nic, VmSpec } from "../../spec.ts";
import type { LoopbackAddress, LoopbackName } from "./loopback.ts";

export type Accelerator = "tcg" | "kvm" | "hvf" | "whpx";
export type Architecture = "x64" | "arm64";

/** Descriptors the process gets: see `startChild`. */
export const qemuFds = { info: 3, control: 4, gate: 5, state: 6 } as const;

export interface RamFile {
  readonly path: string;
  /** `source`: written by the machine. `clone`: mapped privately. `clone-readonly`: opened for reading only (QEMU 8.2) */
  readonly use: "source" | "clone" | "clone-readonly";
}

export interface QemuArgsOptions {
  readonly spec: VmSpec;
  readonly accelerator: Accelerator;
  readonly architecture: Architecture;
  readonly wirePath: string;
  /** file behind the machine's memory; without it memory is anonymous */
  readonly ram?: RamFile | undefined;
  /** ticks of the host's time-stamp counter in `kHz`, which is what an emulated x86 machine counts */
  readonly tscKhz?: number | undefined;
  /** the machine waits for device state instead of booting */
  readonly incoming: boolean;
  /** where channels are TLS connections to this process: on Windows, where QEMU inherits no descriptors
   * @default control by a descriptor, the wire by a Unix socket, the console by stdout */
  readonly loopback?: LoopbackAddress | undefined;
  /** QEMU filters its own system calls
   * @default true */
  readonly seccomp?: boolean | undefined;
  /** it stands still until it is told to run
   * @default false */
  readonly paused?: boolean | undefined;
}

interface Platform {
  readonly machine: string;
  readonly cpu: string;
  /** suffix of the virtio devices */
  readonly bus: "device" | "pci";
  readonly console: string;
  readonly kernelArgs: string;
  /** loading a kernel leaves nothing in the device state: a restored machine does without the files */
  readonly forgetsKernel: boolean;
}

const quiet = `${commonKernelArgs} reboot=t luminaguard.port=agent`;
/** plausible: enough to boot by, not to keep time by */
const anyTscKhz = 2_000_000;

function platformOf({ accelerator, architecture, tscKhz = anyTscKhz }: QemuArgsOptions): Platform {
  if (architecture === "arm64") {
    // signing pointers as the architecture says is slow to emulate; the emulator's own way is not
    const cpu = accelerator === "tcg" ? "max,pauth-impdef=on" : "host";
    const base = { console: "ttyAMA0", kernelArgs: quiet, forgetsKernel: false } as const;
    return { ...base, machine: "virt", cpu, bus: "pci" };
  }
  if (accelerator === "tcg" || accelerator === "kvm") {
    const machine = "microvm,x-option-roms=off,pit=off,pic=off,rtc=on,isa-serial=on";
    const cpu = accelerator === "kvm" ? "host" : emulatedCpu;
    const kernelArgs = `tsc_early_khz=${tscKhz} tsc=reliable ${quiet}`;
    return { machine, cpu, bus: "device", console: "ttyS0", kernelArgs, forgetsKernel: true };
  }
  const cpu = accelerator === "whpx" ? "Haswell-noTSX" : "host";
  // its option ROM for kernels is memory, which a restored machine has to have as well
  const base = { console: "ttyS0", kernelArgs: quiet, forgetsKernel: false } as const;
  return { ...base, machine: "q35", cpu, bus: "pci" };
}

/** without the fast string moves: the emulator runs them byte by byte, and every copy uses them */
const emulatedCpu = "max,-erms,-fsrm";

/** translated code kept per machine in `MiB`: bounds what an idle clone costs */
const translationCacheMib = 64;

export function buildQemuArgs(options: QemuArgsOptions): readonly string[] {
  const { spec, accelerator, ram } = options;
  const platform = platformOf(options);
  const memory = ram === undefined ? [] : ["-object", ramObject(ram, spec.memoryMib)];
  const backend = ram === undefined ? "" : ",memory-backend=ram0";
  return [
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...(options.loopback === undefined && options.seccomp !== false ? ["-sandbox", seccomp] : []),
    ...memory,
    ...["-machine", `${platform.machine}${backend}`],
    ...["-accel", acceleratorOption(accelerator)],
    ...["-cpu", platform.cpu, "-m", `${spec.memoryMib}M`, "-smp", String(spec.vcpus)],
    ...kernelArgs(options, platform),
    ...[...channelArgs(options, "console"), "-serial", "chardev:console"],
    ...[...channelArgs(options, "control"), "-mon", "chardev=control,mode=control"],
    ...["-device", `virtio-serial-${platform.bus}`],
    ...[...channelArgs(options, "wire"), "-device", "virtserialport,chardev=wire,name=agent"],
    ...layerArgs(spec.image.layerPath, platform.bus),
    ...nicArgs(spec.nic, platform.bus),
    ...(options.loopback === undefined ? [] : entropyArgs(platform.bus)),
    ...(options.incoming ? ["-incoming", "defer"] : []),
    ...(options.paused === true ? ["-S"] : []),
  ];
}

/** QEMU's filter of system calls, which is Linux's */
const seccomp = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

function channelArgs({ loopback, wirePath }: QemuArgsOptions, name: LoopbackName): string[] {
  if (loopback !== undefined) return tlsChannel(loopback, name);
  const own: Readonly<Record<LoopbackName, string>> = {
    console: "stdio,id=console,signal=off",
    control: `socket,id=control,fd=${qemuFds.control}`,
    wire: `socket,id=wire,path=${escapeComma(wirePath)},server=on,wait=off`,
  };
  return ["-chardev", own[name]];
}

/** Each channel has a key of its own; QEMU docs/system/tls, pre-shared keys. */
function tlsChannel({ port, keyFolder }: LoopbackAddress, name: LoopbackName): string[] {
  const key = `tls-creds-psk,id=${name}-key,dir=${escapeComma(keyFolder)}`;
  return [
    ...["-object", `${key},endpoint=client,username=${name}`],
    "-chardev",
    `socket,id=${name},host=127.0.0.1,port=${port},server=off,nodelay=on,tls-creds=${name}-key`,
  ];
}

/** The image's files that this QEMU opens; it needs to see no others. */
export function listImageFiles(options: QemuArgsOptions): readonly string[] {
  const { kernelPath, initramfsPath, layerPath } = options.spec.image;
  const kernel = loadsKernel(options, platformOf(options)) ? [kernelPath, initramfsPath] : [];
  return layerPath === undefined ? kernel : [...kernel, layerPath];
}

/** QEMU would read the files again, and keep the kernel in memory of its own for the machine's life. */
function loadsKernel({ incoming }: QemuArgsOptions, { forgetsKernel }: Platform): boolean {
  return !(incoming && forgetsKernel);
}

function kernelArgs(options: QemuArgsOptions, platform: Platform): string[] {
  if (!loadsKernel(options, platform)) return [];
  const { spec } = options;
  return [
    ...["-kernel", spec.image.kernelPath, "-initrd", spec.image.initramfsPath],
    ...["-append", `console=${platform.console} ${platform.kernelArgs}`],
  ];
}

function acceleratorOption(accelerator: Accelerator): string {
  if (accelerator === "tcg") return `tcg,tb-size=${translationCacheMib}`;
  return accelerator === "whpx" ? "whpx,kernel-irqchip=off" : accelerator;
}

function ramObject(ram: RamFile, memoryMib: number): string {
  const file = `memory-backend-file,id=ram0,size=${memoryMib}M,mem-path=${escapeComma(ram.path)}`;
  if (ram.use === "source") return `${file},share=on`;
  return ram.use === "clone" ? `${file},share=off` : `${file},share=off,readonly=on,rom=off`;
}

function layerArgs(layerPath: string | undefined, bus: string): string[] {
  if (layerPath === undefined) return [];
  const file = `driver=file,filename=${escapeComma(layerPath)},locking=off`;
  return [
    ...["-blockdev", `${file},node-name=layer-file,read-only=on,auto-read-only=off`],
    ...["-blockdev", "driver=raw,file=layer-file,node-name=layer,read-only=on"],
    ...["-device", `virtio-blk-${bus},drive=layer`],
  ];
}

/** A machine that boots has no state to take entropy from: QEMU's own generator, as Windows has no device. */
function entropyArgs(bus: string): string[] {
  return ["-object", "rng-builtin,id=entropy", "-device", `virtio-rng-${bus},rng=entropy`];
}

/** Without an address of version 6, and without the option ROM that boots from a network. */
function nicArgs(nic: Nic, bus: string): string[] {
  if (nic === "none") return [];
  const card = `virtio-net-${bus},netdev=nic${bus === "pci" ? ",romfile=" : ""}`;
  return ["-netdev", "user,id=nic,ipv6=off", "-device", card];
}

/** QEMU splits option values at commas; a doubled comma is one comma. */
function escapeComma(value: string): string {
  return value.replaceAll(",", ",,");
}
