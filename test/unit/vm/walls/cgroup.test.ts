/** On the kernel's own groups, where this user may make some: a real process, and its real end. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { listChildren } from "../../../../src/process/process-identity.ts";
import { joinGroups, limitsOf, makeGroups } from "../../../../src/vm/walls/cgroup.ts";
import { nameGroups, removeGroups, wasOutOfMemory } from "../../../../src/vm/walls/cgroup.ts";
import type { Group } from "../../../../src/vm/walls/cgroup.ts";
import { probeGroups } from "../../../../src/vm/walls/cgroup-probe.ts";
import { eventually } from "../../../support/eventually.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

const plan = probeGroups(process.getuid?.() === 0);
if (plan.kind === "unavailable") console.warn(`no control groups are tested: ${plan.reason}`);
const parents = plan.kind === "ready" ? plan.parents : [];
const mebibyte = 1024 ** 2;
const limits = { memoryBytes: 96 * mebibyte, cpus: 1, tasks: 40 };

let groups: readonly Group[] = [];
const foldersOf = (made: readonly Group[]): readonly string[] => made.map(({ folder }) => folder);
const make = async (): Promise<void> => {
  groups = nameGroups(parents, `test-${process.pid}`);
  await makeGroups(groups, limits);
};
afterEach(async () => {
  expect(await removeGroups(foldersOf(groups))).toBe(true);
});

/** A program that does nothing until it is told to go on. */
function startWaiting(script: string): ChildProcess {
  return spawn("sh", ["-c", `read go; ${script}`], { stdio: ["pipe", "ignore", "ignore"] });
}

describe.skipIf(plan.kind === "unavailable")("the control groups of a machine", () => {
  it("end a program that takes more memory than they allow, and know why it ended", async () => {
    await make();
    // dd takes a buffer of one block
    const child = startWaiting("exec dd if=/dev/zero of=/dev/null bs=192M count=1");
    await joinGroups(groups, child.pid ?? 0);
    expect(await wasOutOfMemory(groups)).toBe(false);
    child.stdin?.end("go\n");
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    expect(signal).toBe("SIGKILL");
    expect(await wasOutOfMemory(groups)).toBe(true);
  });

  it("let a program live that takes less", async () => {
    await make();
    const child = startWaiting("exec dd if=/dev/zero of=/dev/null bs=32M count=1");
    await joinGroups(groups, child.pid ?? 0);
    child.stdin?.end("go\n");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await wasOutOfMemory(groups)).toBe(false);
  });

  it("hold what a process had started before it was put in", async () => {
    await make();
    const child = spawn("sh", ["-c", "sleep 600; true"], { stdio: "ignore" });
    const ended = once(child, "exit");
    await eventually("it started one", async () => (await listChildren(child.pid ?? 0)).length > 0);
    await joinGroups(groups, child.pid ?? 0);
    const members = readFileSync(join(groups[0]?.folder ?? "", "cgroup.procs"), "utf8");
    expect(members.trim().split("\n")).toHaveLength(2);
    await removeGroups(foldersOf(groups));
    await ended;
  });

  it("take one that is gone for a matter of whoever waits for it", async () => {
    await make();
    const child = spawn("true");
    await once(child, "exit");
    await expect(joinGroups(groups, child.pid ?? 0)).resolves.toBeUndefined();
  });

  it("are gone with what lives in them when they are removed, however often", async () => {
    await make();
    const child = spawn("sleep", ["600"], { stdio: "ignore" });
    const ended = once(child, "exit");
    await joinGroups(groups, child.pid ?? 0);
    expect(await removeGroups(foldersOf(groups))).toBe(true);
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(foldersOf(groups).filter(existsSync)).toEqual([]);
    expect(await removeGroups(foldersOf(groups))).toBe(true);
  });

  it("that cannot be made are the host's limit, said in words", async () => {
    const missing = parents.map((parent) => ({ ...parent, folder: `${parent.folder}/none/x` }));
    await expect(makeGroups(missing, limits)).rejects.toMatchObject({ code: "HOST_LIMIT" });
  });
});

describe("removing control groups", () => {
  it("leaves a folder alone that does not have our name", async () => {
    using temp = makeTempDir();
    const folder = join(temp.path, "user.slice");
    mkdirSync(folder);
    await removeGroups([folder]);
    expect(existsSync(folder)).toBe(true);
  });
});

describe("the limits of a machine", () => {
  it("are its memory and what QEMU needs beside it, its processors and one, and few tasks", () => {
    expect(limitsOf({ memoryMib: 128, vcpus: 1 })).toEqual({
      memoryBytes: 400 * mebibyte,
      cpus: 2,
      tasks: 97,
    });
    expect(limitsOf({ memoryMib: 2048, vcpus: 4 })).toEqual({
      memoryBytes: 2560 * mebibyte,
      cpus: 5,
      tasks: 100,
    });
  });
});
