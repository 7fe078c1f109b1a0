/** A machine has no network card and no shared folder, not even for root inside it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Machine } from "../../src/runtime/machine.ts";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";

let own: OwnLumina;
let machine: Machine;
beforeAll(async () => {
  own = await createOwnLumina();
  machine = await own.lumina.spawn({ memoryMib: 128 });
});
afterAll(() => own[Symbol.asyncDispose]());

async function asRoot(script: string): Promise<string> {
  const { stdout } = await machine.exec(["sh", "-c", script], { cwd: "/", user: "0" });
  return stdout.trim();
}

describe("a machine", () => {
  it("has a loopback and no other interface", async () => {
    expect(await asRoot("ls /sys/class/net")).toBe("lo");
    expect(await asRoot("tail -n +2 /proc/net/route; cat /proc/net/arp | tail -n +2")).toBe("");
  });

  it("has no device on any bus that a network driver would take", async () => {
    // virtio device types: 1 network, 9 and 26 shared folders, 19 sockets to the host
    const types = await asRoot("cat /sys/bus/virtio/devices/*/device");
    const seen = types.split("\n").map((type) => Number.parseInt(type, 16));
    for (const type of [1, 9, 19, 26]) expect(seen).not.toContain(type);
    expect(await asRoot("ls /sys/bus/pci/devices 2>/dev/null | wc -l")).toBe("0");
  });

  it.each(["1.1.1.1", "10.0.2.2", "169.254.169.254", "192.168.0.1"])(
    "cannot reach %s",
    async (host) => {
      const script = `timeout 5 nc -w 2 ${host} 80 </dev/null; echo $?; timeout 5 ping -c 1 -W 1 ${host}; echo $?`;
      const codes = (await asRoot(script)).split("\n").filter((line) => /^\d+$/.test(line));
      expect(codes).toHaveLength(2);
      expect(codes).not.toContain("0");
    },
  );

  it("mounts nothing of the host", async () => {
    const kinds = await asRoot("cut -d ' ' -f 3 /proc/mounts | sort -u");
    const known = [
      "cgroup2",
      "devpts",
      "devtmpfs",
      "overlay",
      "proc",
      "ramfs",
      "rootfs",
      "squashfs",
      "sysfs",
      "tmpfs",
    ];
    expect(kinds.split("\n").filter((kind) => !known.includes(kind))).toEqual([]);
  });
});
