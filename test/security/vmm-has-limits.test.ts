/** What a hypervisor process may take of the host, as the kernel says it, and that the kernel means it. */
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limitsOf } from "../../src/vm/walls/cgroup.ts";
import { probeGroups } from "../../src/vm/walls/cgroup-probe.ts";
import type { Controller, GroupParent } from "../../src/vm/walls/cgroup-plan.ts";
import { createCliHome, sees } from "../support/cli.ts";
import { listFamily, listVmms } from "../support/host-process.ts";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";

const plan = probeGroups(process.getuid?.() === 0);
if (plan.kind === "unavailable") console.warn(`limits are not tested: ${plan.reason}`);
const parents = plan.kind === "ready" ? plan.parents : [];
const memoryMib = 128;

let own: OwnLumina;
beforeAll(async () => {
  own = await createOwnLumina();
});
afterAll(() => own[Symbol.asyncDispose]());

/** The groups that a process is in, of those below which machines' groups are made. */
function groupsOf(pid: number): readonly GroupParent[] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  return parents.map((parent) => {
    const line = lines.find((each) => {
      const controllers = each.split(":")[1]?.split(",") ?? [];
      return parent.version === 1
        ? parent.controllers.some((one) => controllers.includes(one))
        : each.startsWith("0::");
    });
    const name = line?.split("/").at(-1) ?? "";
    return { ...parent, folder: join(parent.folder, name) };
  });
}

const files: Readonly<Record<1 | 2, Record<Controller, string>>> = {
  1: { memory: "memory.limit_in_bytes", cpu: "cpu.cfs_quota_us", pids: "pids.max" },
  2: { memory: "memory.max", cpu: "cpu.max", pids: "pids.max" },
};

function fileOf(pid: number, controller: Controller): string {
  const group = groupsOf(pid).find(({ controllers }) => controllers.includes(controller));
  if (group === undefined) throw new Error(`no group for ${controller}`);
  return join(group.folder, files[group.version][controller]);
}

const readLimit = (pid: number, controller: Controller): number => {
  return Number.parseInt(readFileSync(fileOf(pid, controller), "utf8"), 10);
};

/** Memory that is the group's alone and not a file's, in `bytes`. */
function ownMemory(pid: number): number {
  const statistics = readFileSync(join(dirname(fileOf(pid, "memory")), "memory.stat"), "utf8");
  return Number(/^(?:rss|anon) (\d+)$/m.exec(statistics)?.[1]);
}

function lowerMemory(pid: number, bytes: number): void {
  const file = fileOf(pid, "memory");
  writeFileSync(file, String(bytes));
  const folder = dirname(file);
  for (const swap of ["memory.memsw.limit_in_bytes", "memory.swap.max"]) {
    if (existsSync(join(folder, swap))) writeFileSync(join(folder, swap), String(bytes));
  }
}

describe.skipIf(plan.kind === "unavailable")("the hypervisor process of a machine", () => {
  it("is in control groups that no other is in, which limit memory, processors and tasks", async () => {
    await using machine = await own.lumina.spawn({ memoryMib, vcpus: 1 });
    await using neighbour = await own.lumina.spawn({ memoryMib, vcpus: 1 });
    const folders = groupsOf(machine.pid).map(({ folder }) => folder);
    for (const folder of folders) expect(folder).toContain(`/luminaguard-${machine.id}-`);
    expect(folders).not.toEqual(groupsOf(neighbour.pid).map(({ folder }) => folder));
    const { memoryBytes, cpus, tasks } = limitsOf({ memoryMib, vcpus: 1 });
    const expected = { memory: memoryBytes, cpu: cpus * 100_000, pids: tasks };
    for (const controller of parents.flatMap(({ controllers }) => controllers)) {
      expect(readLimit(machine.pid, controller)).toBe(expected[controller]);
    }
  });

  it("holds nothing outside of them but what builds its walls", async () => {
    await using home = await createCliHome();
    const child = home.start(["run", "--no-workspace", "--", "sleep", "60"]);
    await sees(child, "machine ");
    const [vmm] = await listVmms(home.runtimeDir);
    const family = await listFamily(child.pid ?? 0);
    const inside = family.filter(({ pid }) => {
      return groupsOf(pid)[0]?.folder === groupsOf(vmm?.pid ?? 0)[0]?.folder;
    });
    const outside = family.filter((one) => !inside.includes(one));
    const names = outside.map(({ pid }) => readFileSync(`/proc/${pid}/comm`, "utf8").trim());
    child.kill("SIGTERM");
    await once(child, "close");
    expect(inside).toHaveLength(2);
    expect(names.slice(1)).toEqual(["bwrap"]);
  });

  it("that takes more memory than its limit is ended alone, and the command is told why", async () => {
    await using machine = await own.lumina.spawn({ memoryMib });
    await using neighbour = await own.lumina.spawn({ memoryMib });
    // half of what the guest is about to fill, so that an honest guest does what only a broken
    // hypervisor could
    lowerMemory(machine.pid, ownMemory(machine.pid) + 12 * 1024 ** 2);
    const filling = machine.exec(["dd", "if=/dev/zero", "of=/dev/shm/fill", "bs=1M", "count=50"], {
      cwd: "/",
      timeoutMs: 60_000,
    });
    await expect(filling).rejects.toMatchObject({
      code: "VM_GONE",
      message: expect.stringMatching(/took more than its limit of \d+ MiB of memory/) as unknown,
    });
    expect((await machine.exited).requested).toBe(false);
    expect((await neighbour.exec(["echo", "well"], { cwd: "/" })).stdout).toBe("well\n");
  });

  it("leaves no control group when it ends", async () => {
    const machine = await own.lumina.spawn({ memoryMib });
    const folders = groupsOf(machine.pid).map(({ folder }) => folder);
    expect(folders.filter(existsSync)).toEqual(folders);
    await machine.stop();
    expect(folders.filter(existsSync)).toEqual([]);
  });

  it("leaves none after the next start when its host process was killed with SIGKILL", async () => {
    await using home = await createCliHome();
    const child = home.start(["run", "--no-workspace", "--", "sleep", "60"]);
    await sees(child, "machine ");
    const [vmm] = await listVmms(home.runtimeDir);
    const folders = groupsOf(vmm?.pid ?? 0).map(({ folder }) => folder);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(folders.filter(existsSync)).toEqual(folders);
    expect((await home.run(["changes", "ls"])).exitCode).toBe(0);
    expect(folders.filter(existsSync)).toEqual([]);
    expect(await home.leftovers()).toEqual([]);
  });
});
