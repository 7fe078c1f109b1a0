import { describe, expect, it } from "vitest";
import {
  buildVfkitArgs,
  isSayableSocket,
  refuseSpec,
} from "../../../../src/vm/backends/vfkit/vfkit-args.ts";
import { resolveVmSpec } from "../../../../src/vm/spec.ts";
import type { VmImage } from "../../../../src/vm/spec.ts";

const image: VmImage = {
  digest: "0".repeat(64),
  kernelPath: "/images/vmlinuz",
  initramfsPath: "/images/initramfs",
};
const paths = { wire: "/run/wire.sock", rest: "/run/rest.sock", console: "/run/console" };
const host = { processors: 8, memoryBytes: 16 * 1024 ** 3, architecture: "arm64" };

describe("vfkit's command line", () => {
  it("says the machine, its wire, its console and nothing else", () => {
    expect(buildVfkitArgs(resolveVmSpec({ image, memoryMib: 256, vcpus: 2 }), paths)).toEqual([
      ...["--cpus", "2", "--memory", "256", "--bootloader"],
      'linux,kernel=/images/vmlinuz,initrd=/images/initramfs,cmdline="console=hvc0 quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs luminaguard.end=poweroff"',
      ...["--device", "virtio-rng"],
      ...["--device", "virtio-serial,logFilePath=/run/console"],
      ...["--device", "virtio-vsock,port=1024,socketURL=/run/wire.sock,connect"],
      ...["--restful-uri", "unix:///run/rest.sock", "--log-level", "error"],
    ]);
  });

  it("gives the layer that all machines share for reading only", () => {
    const args = buildVfkitArgs(resolveVmSpec({ image: { ...image, layerPath: "/l" } }), paths);
    expect(args).toContain("virtio-blk,path=/l,readonly");
  });

  it("gives Rosetta to whoever asks for it, and to nobody else", () => {
    const device = "rosetta,mountTag=rosetta";
    expect(buildVfkitArgs(resolveVmSpec({ image, rosetta: true }), paths)).toContain(device);
    expect(buildVfkitArgs(resolveVmSpec({ image }), paths).join(" ")).not.toContain("rosetta");
  });

  it("gives no machine a network", () => {
    const args = buildVfkitArgs(resolveVmSpec({ image }), paths);
    expect(args.join(" ")).not.toContain("virtio-net");
  });
});

describe("what vfkit cannot run", () => {
  it("is nothing of an ordinary machine", () => {
    expect(refuseSpec(resolveVmSpec({ image }), host)).toEqual([]);
  });

  it("is a machine larger than the host", () => {
    const spec = resolveVmSpec({ image, vcpus: 9, memoryMib: 16 * 1024 + 1 });
    expect(refuseSpec(spec, host)).toEqual([
      "9 vcpus: the host has 8 processors",
      "16385 MiB of memory: the host has less",
    ]);
  });

  it("is Rosetta on a Mac that has no use for it", () => {
    const spec = resolveVmSpec({ image, rosetta: true });
    expect(refuseSpec(spec, host)).toEqual([]);
    expect(refuseSpec(spec, { ...host, architecture: "x64" })).toEqual([
      "Rosetta (--rosetta): this Mac has an Intel processor",
    ]);
  });

  it.each(["/a,readonly/vmlinuz", '/a"b/vmlinuz'])(
    "is an image at %s, which options end in",
    (path) => {
      const refusals = refuseSpec(resolveVmSpec({ image: { ...image, layerPath: path } }), host);
      expect(refusals).toEqual([`${path}: no comma or quote can be in a path`]);
    },
  );

  it.each([
    ["/tmp/luminaguard-501", true],
    ["/private/var/folders/x_y/T+1", true],
    ["/tmp/my machines", false],
    ["/tmp/a%20b", false],
    ["/tmp/a,b", false],
    ["/tmp/a?b", false],
  ])("or is a socket below %s: %s", (path, isSayable) => {
    expect(isSayableSocket(path)).toBe(isSayable);
  });
});
