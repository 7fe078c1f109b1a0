import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildQemuArgs, listImageFiles } from "../../../src/vm/backends/qemu/qemu-args.ts";
import type {
  Accelerator,
  Architecture,
  QemuArgsOptions,
  RamFile,
} from "../../../src/vm/backends/qemu/qemu-args.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";

const image = {
  digest: "0".repeat(64),
  kernelPath: "/k",
  initramfsPath: "/i",
  layerPath: "/layer",
};
const spec = resolveVmSpec({ image, memoryMib: 128, vcpus: 2 });
const base: QemuArgsOptions = {
  spec,
  accelerator: "tcg",
  architecture: "x64",
  wirePath: "/run/wire.sock",
  incoming: false,
};

/** Options with their values, one a line. */
function render(args: readonly string[]): string {
  return args.join(" ").replaceAll(/ (?=-[a-z])/g, "\n");
}

/** The values of an option, in order. */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.filter((_value, at) => args[at - 1] === option);
}

/** As QEMU reads an option's value: parts end at a comma, two commas are one. */
function parseOption(value: string): Record<string, string> {
  const parts = [...value.matchAll(/((?:[^,]|,,)+)(?:,(?!,)|$)/g)].map(([, part = ""]) => part);
  return Object.fromEntries(
    parts.map((part) => {
      const [name = "", ...rest] = part.split("=");
      return [name, rest.join("=").replaceAll(",,", ",")];
    }),
  );
}

describe("QEMU's command line", () => {
  it("of a machine that boots under emulation", () => {
    expect(render(buildQemuArgs(base))).toMatchInlineSnapshot(`
      "-nodefaults
      -no-user-config
      -no-reboot
      -display none
      -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
      -machine microvm,x-option-roms=off,pit=off,pic=off,rtc=on,isa-serial=on
      -accel tcg,tb-size=64
      -cpu max,-erms,-fsrm
      -m 128M
      -smp 2
      -kernel /k
      -initrd /i
      -append console=ttyS0 tsc_early_khz=2000000 tsc=reliable quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
      -chardev stdio,id=console,signal=off
      -serial chardev:console
      -chardev socket,id=control,fd=4
      -mon chardev=control,mode=control
      -device virtio-serial-device
      -chardev socket,id=wire,path=/run/wire.sock,server=on,wait=off
      -device virtserialport,chardev=wire,name=agent
      -blockdev driver=file,filename=/layer,locking=off,node-name=layer-file,read-only=on,auto-read-only=off
      -blockdev driver=raw,file=layer-file,node-name=layer,read-only=on
      -device virtio-blk-device,drive=layer"
    `);
  });

  it("of a clone adds a private mapping of the template's memory, and waits for its state", () => {
    const ram: RamFile = { path: "/template/ram", use: "clone-readonly" };
    const plain = buildQemuArgs(base);
    const clone = buildQemuArgs({ ...base, ram, incoming: true });
    expect(clone.filter((word) => !plain.includes(word))).toMatchInlineSnapshot(`
      [
        "-object",
        "memory-backend-file,id=ram0,size=128M,mem-path=/template/ram,share=off,readonly=on,rom=off",
        "microvm,x-option-roms=off,pit=off,pic=off,rtc=on,isa-serial=on,memory-backend=ram0",
        "-incoming",
        "defer",
      ]
    `);
  });

  it("differs for each accelerator and architecture in these", () => {
    const accelerators: Accelerator[] = ["tcg", "kvm", "hvf", "whpx"];
    const architectures: Architecture[] = ["x64", "arm64"];
    const rows = architectures.flatMap((architecture) =>
      accelerators.map((accelerator) => {
        const args = buildQemuArgs({ ...base, accelerator, architecture });
        const values = ["-machine", "-accel", "-cpu", "-append"].map((name) =>
          valuesOf(args, name),
        );
        return [`${accelerator} ${architecture}`, ...values.flat(), ...valuesOf(args, "-device")];
      }),
    );
    expect(rows.map((row) => row.join("\n  ")).join("\n")).toMatchInlineSnapshot(`
      "tcg x64
        microvm,x-option-roms=off,pit=off,pic=off,rtc=on,isa-serial=on
        tcg,tb-size=64
        max,-erms,-fsrm
        console=ttyS0 tsc_early_khz=2000000 tsc=reliable quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-device
        virtserialport,chardev=wire,name=agent
        virtio-blk-device,drive=layer
      kvm x64
        microvm,x-option-roms=off,pit=off,pic=off,rtc=on,isa-serial=on
        kvm
        host
        console=ttyS0 tsc_early_khz=2000000 tsc=reliable quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-device
        virtserialport,chardev=wire,name=agent
        virtio-blk-device,drive=layer
      hvf x64
        q35
        hvf
        host
        console=ttyS0 quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-pci
        virtserialport,chardev=wire,name=agent
        virtio-blk-pci,drive=layer
      whpx x64
        q35
        whpx,kernel-irqchip=off
        Haswell-noTSX
        console=ttyS0 quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-pci
        virtserialport,chardev=wire,name=agent
        virtio-blk-pci,drive=layer
      tcg arm64
        virt
        tcg,tb-size=64
        max,pauth-impdef=on
        console=ttyAMA0 quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-pci
        virtserialport,chardev=wire,name=agent
        virtio-blk-pci,drive=layer
      kvm arm64
        virt
        kvm
        host
        console=ttyAMA0 quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-pci
        virtserialport,chardev=wire,name=agent
        virtio-blk-pci,drive=layer
      hvf arm64
        virt
        hvf
        host
        console=ttyAMA0 quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-pci
        virtserialport,chardev=wire,name=agent
        virtio-blk-pci,drive=layer
      whpx arm64
        virt
        whpx,kernel-irqchip=off
        host
        console=ttyAMA0 quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs reboot=t luminaguard.port=agent
        virtio-serial-pci
        virtserialport,chardev=wire,name=agent
        virtio-blk-pci,drive=layer"
    `);
  });

  it("of a clone leaves the kernel out where device state does not remember it", () => {
    const clone: QemuArgsOptions = { ...base, ram: { path: "/ram", use: "clone" }, incoming: true };
    expect(buildQemuArgs(clone).join(" ")).not.toMatch(/-kernel|-initrd|-append/);
    expect(listImageFiles(clone)).toEqual(["/layer"]);
    expect(listImageFiles(base)).toEqual(["/k", "/i", "/layer"]);
    const onQ35: QemuArgsOptions = { ...clone, accelerator: "hvf" };
    expect(buildQemuArgs(onQ35).join(" ")).toMatch(/-kernel .*-initrd .*-append/);
    expect(listImageFiles(onQ35)).toEqual(["/k", "/i", "/layer"]);
  });

  it("opens a memory file as its use says", () => {
    const uses: RamFile["use"][] = ["source", "clone", "clone-readonly"];
    const objects = uses.map((use) =>
      valuesOf(buildQemuArgs({ ...base, ram: { path: "/ram", use } }), "-object").join(),
    );
    expect(objects).toMatchInlineSnapshot(`
      [
        "memory-backend-file,id=ram0,size=128M,mem-path=/ram,share=on",
        "memory-backend-file,id=ram0,size=128M,mem-path=/ram,share=off",
        "memory-backend-file,id=ram0,size=128M,mem-path=/ram,share=off,readonly=on,rom=off",
      ]
    `);
  });

  it("has no network card and no shared folder, whatever the machine", () => {
    const ram: RamFile = { path: "/ram", use: "clone" };
    for (const accelerator of ["tcg", "kvm", "hvf", "whpx"] as const) {
      for (const architecture of ["x64", "arm64"] as const) {
        const args = buildQemuArgs({ ...base, accelerator, architecture, ram, incoming: true });
        expect(args).toContain("-nodefaults");
        expect(args.join(" ")).not.toMatch(/-net|virtio-net|-nic|9p|virtiofs|vhost-user|-usb/);
      }
    }
  });

  it("has no disk for an image without a layer", () => {
    const bare = resolveVmSpec({ image: { ...image, layerPath: undefined } });
    expect(buildQemuArgs({ ...base, spec: bare }).join(" ")).not.toContain("blk");
  });

  it("gives QEMU the very paths, whatever commas are in them", () => {
    const paths = fc
      .array(fc.constantFrom(",", ",,", "a", "=", " ", "é", "/", "path=", "on"), { maxLength: 12 })
      .map((parts) => `/${parts.join("")}`);
    fc.assert(
      fc.property(paths, (path) => {
        const strange = resolveVmSpec({ image: { ...image, layerPath: path } });
        const ram: RamFile = { path, use: "clone" };
        const args = buildQemuArgs({ ...base, spec: strange, wirePath: path, ram });
        expect(parseOption(valuesOf(args, "-object")[0] ?? "")["mem-path"]).toBe(path);
        expect(parseOption(valuesOf(args, "-chardev")[2] ?? "")["path"]).toBe(path);
        expect(parseOption(valuesOf(args, "-blockdev")[0] ?? "")).toEqual({
          driver: "file",
          filename: path,
          locking: "off",
          "node-name": "layer-file",
          "read-only": "on",
          "auto-read-only": "off",
        });
      }),
    );
  });

  it.each([
    ["x64", "tcg", "virtio-net-device,netdev=nic"],
    ["x64", "hvf", "virtio-net-pci,netdev=nic,romfile="],
    ["arm64", "tcg", "virtio-net-pci,netdev=nic,romfile="],
  ] as const)(
    "has the network card that was approved: %s, %s",
    (architecture, accelerator, card) => {
      const args = buildQemuArgs({
        ...base,
        architecture,
        accelerator,
        spec: { ...spec, nic: "user" },
      });
      expect(valuesOf(args, "-netdev")).toEqual(["user,id=nic,ipv6=off"]);
      expect(valuesOf(args, "-device")).toContain(card);
    },
  );
});
