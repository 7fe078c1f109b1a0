/**
 * The control groups of one machine: what all its threads and processes together may take of the
 * host. The kernel ends a machine that takes more memory; the host and other machines go on. Made
 * before the hypervisor, which is put in before it may start, and removed after it.
 */
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { errnoOf, toHostError } from "../../base/host-error.ts";
import { killProcess } from "../../process/child.ts";
import { listChildren } from "../../process/process-identity.ts";
import type { Controller, GroupParent } from "./cgroup-plan.ts";
import type { VmSpec } from "../spec.ts";

/** One group; in cgroup v1 a machine has several, in a hierarchy each. */
export type Group = GroupParent;

export interface GroupLimits {
  readonly memoryBytes: number;
  /** processors' worth of time */
  readonly cpus: number;
  /** threads and processes */
  readonly tasks: number;
}

const namePrefix = "luminaguard-";
/** longest wait for the kernel to take a killed process out of its group, in `ms` */
const emptyTimeoutMs = 2_000;
const cpuPeriodUs = 100_000;

/**
 * Beside the guest's memory: QEMU, its translated code, and its tables of the guest's pages, which
 * grow with the memory that the guest maps.
 */
const overheadBytes = 256 * 1024 ** 2;
const overheadRatio = 1 / 8;
/** QEMU's pool of threads for files has 64; the rest are its own few and those that build the walls */
const tasksBesideVcpus = 96;

export function limitsOf({ memoryMib, vcpus }: Pick<VmSpec, "memoryMib" | "vcpus">): GroupLimits {
  const guestBytes = memoryMib * 1024 ** 2;
  return {
    memoryBytes: guestBytes + overheadBytes + Math.ceil(guestBytes * overheadRatio),
    // one more for the thread that moves bytes between guest and host: streaming keeps it busy
    cpus: vcpus + 1,
    tasks: vcpus + tasksBesideVcpus,
  };
}

/** The groups that a machine of this id gets. Nothing is made yet. */
export function nameGroups(parents: readonly GroupParent[], name: string): readonly Group[] {
  return parents.map((parent) => ({ ...parent, folder: join(parent.folder, namePrefix + name) }));
}

/** Makes the groups with their limits. Raises HOST_LIMIT; what was made is the caller's to remove. */
export async function makeGroups(groups: readonly Group[], limits: GroupLimits): Promise<void> {
  try {
    await Promise.all(groups.map((group) => makeGroup(group, limits)));
  } catch (error) {
    throw toHostError(error, "a machine's control group cannot be made");
  }
}

async function makeGroup(
  { folder, version, controllers }: Group,
  limits: GroupLimits,
): Promise<void> {
  await mkdir(folder);
  for (const controller of controllers) {
    for (const { file, value, mayLack = [] } of settings[version][controller](limits)) {
      await writeFile(join(folder, file), value).catch((error: unknown) => {
        if (!mayLack.includes(errnoOf(error) ?? "")) throw error;
      });
    }
  }
}

interface Setting {
  readonly file: string;
  readonly value: string;
  /** errors that mean the limit is not needed here */
  readonly mayLack?: readonly string[];
}

/** a kernel that does not count swap has no file for it, and may not let one be made */
const noSwapCount = ["ENOENT", "EACCES", "EPERM"];

const settings: Readonly<
  Record<1 | 2, Record<Controller, (limits: GroupLimits) => readonly Setting[]>>
> = {
  1: {
    memory: ({ memoryBytes }) => [
      { file: "memory.limit_in_bytes", value: String(memoryBytes) },
      // counts memory and swap together
      { file: "memory.memsw.limit_in_bytes", value: String(memoryBytes), mayLack: noSwapCount },
    ],
    cpu: ({ cpus }) => [
      { file: "cpu.cfs_period_us", value: String(cpuPeriodUs) },
      // refused where the group above may take less, and then that is the limit
      { file: "cpu.cfs_quota_us", value: String(cpus * cpuPeriodUs), mayLack: ["EINVAL"] },
    ],
    pids: ({ tasks }) => [{ file: "pids.max", value: String(tasks) }],
  },
  2: {
    memory: ({ memoryBytes }) => [
      { file: "memory.max", value: String(memoryBytes) },
      { file: "memory.swap.max", value: String(memoryBytes), mayLack: noSwapCount },
      { file: "memory.oom.group", value: "1" },
    ],
    cpu: ({ cpus }) => [{ file: "cpu.max", value: `${cpus * cpuPeriodUs} ${cpuPeriodUs}` }],
    pids: ({ tasks }) => [{ file: "pids.max", value: String(tasks) }],
  },
};

/**
 * Puts a process, what it has started and all it will start into the groups. Raises HOST_LIMIT. The
 * kernel may take 15 ms, for a grace period of its own.
 */
export async function joinGroups(groups: readonly Group[], pid: number): Promise<void> {
  try {
    await moveInto(groups, pid);
    // started before the move; whatever comes later is born in the group
    for (const child of await listChildren(pid)) await moveInto(groups, child);
  } catch (error) {
    throw toHostError(error, "a machine cannot be put into its control group");
  }
}

async function moveInto(groups: readonly Group[], pid: number): Promise<void> {
  const moves = groups.map(({ folder }) => writeFile(join(folder, "cgroup.procs"), String(pid)));
  await Promise.all(moves).catch((error: unknown) => {
    if (errnoOf(error) !== "ESRCH") throw error; // gone: whoever waits for it says why
  });
}

/** Whether the kernel ended a process of the groups because it wanted more memory than they may take. */
export async function wasOutOfMemory(groups: readonly Group[]): Promise<boolean> {
  const texts = await Promise.all(
    groups.map(({ folder, version }) => {
      const file = version === 1 ? "memory.oom_control" : "memory.events";
      return readFile(join(folder, file), "latin1").catch(() => ""); // not the group of its memory
    }),
  );
  return texts.some((text) => Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? 0) > 0);
}

/** Ends what is in the groups and removes them. Whether none is left: groups that never were are fine. */
export async function removeGroups(folders: readonly string[]): Promise<boolean> {
  const removed = await Promise.all(folders.map(removeGroup));
  return removed.every(Boolean);
}

async function removeGroup(folder: string): Promise<boolean> {
  if (!basename(folder).startsWith(namePrefix)) return true; // no group of ours
  for (const until = Date.now() + emptyTimeoutMs; Date.now() < until;) {
    const refusal = await rmdir(folder).then(() => undefined, errnoOf);
    if (refusal === undefined || refusal === "ENOENT") return true;
    for (const pid of await listMembers(folder)) killProcess(pid);
    await setTimeout(5);
  }
  return false;
}

async function listMembers(folder: string): Promise<readonly number[]> {
  const text = await readFile(join(folder, "cgroup.procs"), "latin1").catch(() => "");
  return text
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}
