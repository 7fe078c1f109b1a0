import { describe, expect, it } from "vitest";
import { confine } from "../../../../src/vm/walls/confinement.ts";
import type { Confined } from "../../../../src/vm/walls/confinement.ts";

const confined: Confined = {
  command: ["/usr/bin/qemu", "-x"],
  readOnly: ["/cache/images/1/vmlinuz"],
  readWrite: ["/run/vm-00001"],
  devices: ["/dev/kvm"],
  uid: undefined,
  groups: [],
  addressSpaceBytesMax: 1000,
  network: false,
  infoFd: 3,
};
const render = (argv: readonly string[]): string => argv.join(" ").replaceAll(/ (?=--)/g, "\n");

describe("the walls around a hypervisor", () => {
  it("of a person's own user are namespaces, limits and nothing of the host to see", () => {
    expect(render(confine(confined, { asRoot: false, namespaces: true }))).toMatchInlineSnapshot(`
      "prlimit
      --as=1000
      --nofile=1024
      --core=0
      -- bwrap
      --unshare-user
      --unshare-pid
      --unshare-net
      --unshare-ipc
      --unshare-uts
      --unshare-cgroup-try
      --die-with-parent
      --info-fd 3
      --dev /dev
      --proc /proc
      --perms 0755
      --dir /cache
      --perms 0755
      --dir /cache/images
      --perms 0755
      --dir /cache/images/1
      --perms 0755
      --dir /run
      --ro-bind-try /usr /usr
      --ro-bind-try /lib /lib
      --ro-bind-try /lib64 /lib64
      --ro-bind-try /bin /bin
      --ro-bind-try /sbin /sbin
      --ro-bind /cache/images/1/vmlinuz /cache/images/1/vmlinuz
      --bind /run/vm-00001 /run/vm-00001
      --dev-bind /dev/kvm /dev/kvm
      --chdir /
      -- /usr/bin/qemu -x"
    `);
  });

  it("are none where the system has none, and a process between ends it with us", () => {
    const tools = { asRoot: false, namespaces: false, tethered: true };
    const [program, between, channels, ...command] = confine({ ...confined, channels: 4 }, tools);
    expect(program).toBe(process.execPath);
    expect(between).toMatch(/bin\/tether\.mjs$/);
    expect([channels, ...command]).toEqual(["3", "/usr/bin/qemu", "-x"]);
  });

  it("of root are those, a user id of the machine's own, and no capabilities", () => {
    const asRoot = { ...confined, uid: 1_879_048_193, groups: [104] };
    expect(render(confine(asRoot, { asRoot: true, namespaces: true }))).toMatchInlineSnapshot(`
      "prlimit
      --as=1000
      --nofile=1024
      --core=0
      --nproc=512
      -- bwrap
      --unshare-pid
      --unshare-net
      --unshare-ipc
      --unshare-uts
      --unshare-cgroup-try
      --die-with-parent
      --info-fd 3
      --dev /dev
      --proc /proc
      --perms 0755
      --dir /cache
      --perms 0755
      --dir /cache/images
      --perms 0755
      --dir /cache/images/1
      --perms 0755
      --dir /run
      --ro-bind-try /usr /usr
      --ro-bind-try /lib /lib
      --ro-bind-try /lib64 /lib64
      --ro-bind-try /bin /bin
      --ro-bind-try /sbin /sbin
      --ro-bind /cache/images/1/vmlinuz /cache/images/1/vmlinuz
      --bind /run/vm-00001 /run/vm-00001
      --dev-bind /dev/kvm /dev/kvm
      --chdir /
      -- setpriv
      --reuid=1879048193
      --regid=1879048193
      --groups=104
      --no-new-privs
      --bounding-set=-all
      --inh-caps=-all unshare
      --user
      --map-current-user setpriv
      --pdeathsig=KILL /usr/bin/qemu -x"
    `);
  });

  it("without namespaces are limits and no new privileges", () => {
    expect(render(confine(confined, { asRoot: false, namespaces: false }))).toMatchInlineSnapshot(`
      "prlimit
      --as=1000
      --nofile=1024
      --core=0
      -- setpriv
      --no-new-privs
      --pdeathsig=KILL /usr/bin/qemu -x"
    `);
  });

  it("leave no group to a machine's user that has no device", () => {
    const alone = { ...confined, uid: 5, devices: [] };
    const argv = confine(alone, { asRoot: true, namespaces: true });
    expect(argv).toContain("--clear-groups");
    expect(argv.join(" ")).not.toContain("/dev/kvm");
  });

  it("always end with the command as it was given", () => {
    for (const asRoot of [true, false]) {
      for (const namespaces of [true, false]) {
        expect(confine(confined, { asRoot, namespaces }).slice(-2)).toEqual(confined.command);
      }
    }
  });

  it("make every folder above a file, each before those in it", () => {
    const argv = confine(confined, { asRoot: true, namespaces: true });
    const folders = argv.filter((_word, at) => argv[at - 1] === "--dir");
    expect(folders).toEqual(["/cache", "/cache/images", "/cache/images/1", "/run"]);
  });

  it("keep the host's network, and how to ask it for names, for a machine with a network card", () => {
    const plain = confine(confined, { asRoot: false, namespaces: true });
    const open = confine({ ...confined, network: true }, { asRoot: false, namespaces: true });
    const resolver = ["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"];
    expect(open.filter((word) => !resolver.includes(word))).toEqual(
      plain.filter((word) => word !== "--unshare-net" && !resolver.includes(word)),
    );
    expect(open.join(" ")).toContain(resolver.join(" "));
  });
});
