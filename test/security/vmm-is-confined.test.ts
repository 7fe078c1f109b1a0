/** What a hypervisor process may see and do, as the kernel says it, on the real process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Machine } from "../../src/runtime/machine.ts";
import { createCliHome, programPath, sees } from "../support/cli.ts";
import { listDescriptors, listVmms, readStatus } from "../support/host-process.ts";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";
import { opensTemplatesReadOnly } from "../support/template-access.ts";

const isRoot = process.getuid?.() === 0;
const memoryMib = 128;

let own: OwnLumina;
let machine: Machine;
let neighbour: Machine;
beforeAll(async () => {
  own = await createOwnLumina();
  [machine, neighbour] = await Promise.all([
    own.lumina.spawn({ memoryMib }),
    own.lumina.spawn({ memoryMib }),
  ]);
});
afterAll(() => own[Symbol.asyncDispose]());

const read = (file: string): string => readFileSync(`/proc/${machine.pid}/${file}`, "utf8");

describe("the hypervisor process of a machine", () => {
  it("is never root, and has a user id that no other machine has", () => {
    const [one, other] = [machine, neighbour].map(({ pid }) => readStatus(pid).get("Uid"));
    expect(one?.split(/\s+/)).not.toContain("0");
    if (isRoot) expect(one).not.toBe(other);
    else expect(one?.split(/\s+/)[0]).toBe(String(process.getuid?.()));
  });

  it("has no capability, no group of the host's, and can gain no privileges", () => {
    const status = readStatus(machine.pid);
    expect(Object.fromEntries(status)).toMatchObject({
      CapEff: "0000000000000000",
      CapPrm: "0000000000000000",
      CapInh: "0000000000000000",
      CapAmb: "0000000000000000",
      NoNewPrivs: "1",
    });
    if (isRoot) expect(status.get("Groups")).toBe("");
  });

  it("filters its system calls, with every deny that QEMU offers", () => {
    expect(readStatus(machine.pid).get("Seccomp")).toBe("2");
    const args = read("cmdline").split("\0");
    expect(args[args.indexOf("-sandbox") + 1]).toBe(
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    );
  });

  it("has no default devices, no configuration of a person's, no network card and no shared folder", () => {
    const args = read("cmdline").split("\0");
    expect(args).toEqual(expect.arrayContaining(["-nodefaults", "-no-user-config"]));
    const text = args.join(" ");
    for (const word of ["-net", "-nic", "netdev", "virtio-net", "-virtfs", "-fsdev", "vhost"]) {
      expect(text).not.toContain(word);
    }
  });

  it.each(["user", "mnt", "pid", "net", "ipc", "uts"])("has a %s namespace of its own", (name) => {
    const of = (pid: number | "self"): string => readlinkSync(`/proc/${pid}/ns/${name}`);
    expect(of(machine.pid)).not.toBe(of("self"));
    expect(of(machine.pid)).not.toBe(of(neighbour.pid));
  });

  it("has no network but a loopback that is down", () => {
    const lines = read("net/dev").trim().split("\n").slice(2);
    expect(lines.map((line) => line.trim().split(":")[0])).toEqual(["lo"]);
    expect(read("net/route").trim().split("\n")).toHaveLength(1);
  });

  it("sees system folders, its own files and nothing else", async () => {
    const points = read("mountinfo")
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map(([, , , , path = "", options = ""]) => ({
        path,
        writable: /(^|,)rw(,|$)/.test(options),
      }));
    const system = /^\/(usr|lib|lib64|bin|sbin|proc|dev)(\/|$)/;
    const rest = points.filter(({ path }) => path !== "/" && !system.test(path));
    const folder = join(own.lumina.config.runtimeDir, machine.id);
    const names = rest.map(({ path }) => (path === folder ? path : basename(path)));
    expect(names.sort()).toEqual([folder, "ram"]); // a clone has its kernel in memory
    expect(
      rest
        .filter(({ writable }) => writable)
        .map(({ path }) => basename(path))
        .sort(),
    ).toEqual([...((await opensTemplatesReadOnly(own.lumina)) ? [] : ["ram"]), machine.id].sort());
    expect(points.filter(({ path, writable }) => writable && path.startsWith("/usr"))).toEqual([]);
  });

  it("sees no folder of another machine, no home and no temporary files", () => {
    const root = `/proc/${machine.pid}/root`;
    const runtime = join(root, own.lumina.config.runtimeDir);
    expect(readdirSync(runtime)).toEqual([machine.id]);
    for (const path of ["/etc", "/home", "/var", "/sys"]) {
      expect(() => readdirSync(join(root, path))).toThrow("ENOENT");
    }
    expect(readdirSync(join(root, "dev")).sort()).not.toContain("kvm");
    // itself, and what stands between it and the kernel
    const processes = readdirSync(join(root, "proc")).filter((name) => /^\d+$/.test(name));
    expect(processes).toHaveLength(2);
  });

  it("holds open its own files and sockets only", () => {
    const own = /^(socket:|anon_inode:|\/dev\/null$|.*\/(ram|vmlinuz|initramfs)$)/;
    const strange = listDescriptors(machine.pid).filter(({ target }) => !own.test(target));
    expect(strange).toEqual([]);
  });

  it("has limits on memory, files and dumps, and as root on processes", () => {
    const limits = read("limits");
    const bytes = Number(/^Max address space\s+(\d+)/m.exec(limits)?.[1]);
    expect(bytes).toBeLessThanOrEqual(memoryMib * 2 * 1024 ** 2 + 2 * 1024 ** 3);
    expect(limits).toMatch(/^Max open files\s+1024 +1024/m);
    expect(limits).toMatch(/^Max core file size\s+0 +0/m);
    if (isRoot) expect(limits).toMatch(/^Max processes\s+512 +512/m);
  });

  it("lives in folders that only this user may enter", () => {
    const { runtimeDir } = own.lumina.config;
    expect(lstatSync(runtimeDir).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(runtimeDir, machine.id)).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(runtimeDir, machine.id, "wire.sock")).mode & 0o777).toBe(0o600);
    expect(dirname(join(runtimeDir, machine.id))).toBe(runtimeDir);
  });
});

describe("the hypervisor process of a run", () => {
  it("gets no descriptor and no terminal of whoever started the program", async () => {
    await using home = await createCliHome();
    const secret = join(home.project, "..", "secret");
    writeFileSync(secret, "of another program\n");
    const descriptors = Array.from({ length: 60 }, (_, at) =>
      at > 40 ? openSync(secret, "r") : "ignore",
    );
    const child = spawn(
      process.execPath,
      [programPath, "run", "--no-workspace", "--", "sleep", "60"],
      {
        cwd: home.project,
        env: {
          ...process.env,
          LUMINAGUARD_RUNTIME_DIR: home.runtimeDir,
          LUMINAGUARD_STATE_DIR: home.stateDir,
          LUMINAGUARD_CONFIG_DIR: home.configDir,
        },
        stdio: ["pipe", "pipe", "pipe", ...descriptors.slice(3)] as "pipe"[],
      },
    );
    await sees(child, "machine ");
    const [vmm] = await listVmms(home.runtimeDir);
    const targets = listDescriptors(vmm?.pid ?? 0).map(({ target }) => target);
    const session = readStatus(vmm?.pid ?? 0)
      .get("NSsid")
      ?.split("\t")[0];
    child.kill("SIGTERM");
    await once(child, "close");
    expect(targets).not.toContain(secret);
    expect(targets.length).toBeGreaterThan(3);
    expect(session).not.toBe(readStatus(process.pid).get("NSsid")?.split("\t")[0]);
  });
});
