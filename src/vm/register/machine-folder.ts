/**
 * Each machine has one folder below the runtime folder, 0700, named by the machine's id. Making the
 * folder is what claims the id, and with it the machine's own user id when LuminaGuard runs as root.
 * The record inside says whose machine it is, so that a later start can clear what a dead host left.
 */
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateFolder } from "../../base/private-folder.ts";
import { toHostError } from "../../base/host-error.ts";
import { LuminaGuardError, isLuminaGuardError } from "../../errors.ts";
import { killProcess } from "../../process/child.ts";
import { findByArgument, identifySelf, isRunning } from "../../process/process-identity.ts";
import type { ProcessIdentity } from "../../process/process-identity.ts";
import { nameGroups, removeGroups } from "../walls/cgroup.ts";
import type { Group } from "../walls/cgroup.ts";
import type { GroupParent } from "../walls/cgroup-plan.ts";
import type { OnFrozen } from "../hypervisor.ts";
import { readRecord, writeRecord } from "./machine-record.ts";
import type { MachineRecord } from "./machine-record.ts";
import { clearMark, clearMarks, hasMark, refuseRemoved } from "./stop-marks.ts";
import { refuseWhileStopped, setMark } from "./stop-marks.ts";
import { removedReason, watchFrozen } from "./stop-marks.ts";

/**
 * First of 2^20 user ids that only machines use. systemd's table of ids (docs/UIDS-GIDS) leaves
 * 1879048192 to 2147483647 to nobody.
 */
const machineUidFirst = 1_879_048_192;
/** longest path of a Unix socket: 108 bytes on Linux, 104 on macOS, with the closing zero */
const socketPathBytesMax = 103;

/** the wire, in a machine's folder */
const socketName = "wire.sock";
/** what a hypervisor's command line names in it: the wire, or its own API */
const hypervisorSockets = [socketName, "api.sock"];

export interface MachineFolder {
  readonly id: string;
  readonly path: string;
  /** the user the hypervisor process runs as; `undefined`: the caller's own */
  readonly uid: number | undefined;
  /** control groups of the machine's own, in the record before anybody makes them */
  readonly groups: readonly Group[];
  /**
   * Adds the hypervisor process to the record; null: nothing runs this machine. Raises FROZEN or
   * VM_GONE when a person stopped or removed it meanwhile: whoever started it ends it.
   */
  readonly recordProcess: (vmm: ProcessIdentity | null) => Promise<void>;
  /** calls back, until the folder is removed, when a person stops the machine and when it goes on */
  readonly watchFrozen: (onFrozen: OnFrozen) => void;
  /** says that its owner stopped the machine, or let it go on; for platforms where no signal can */
  readonly setHeld: (isHeld: boolean) => void;
  /** why the machine ends, when a person removes it */
  readonly removal: () => string | undefined;
  readonly remove: () => Promise<void>;
}

export interface MachineFolderOptions {
  /** the machine's control groups will be below these */
  readonly groupParents?: readonly GroupParent[];
  /** told to whoever lists machines @default false */
  readonly hasNetwork?: boolean;
}

/**
 * Makes the folder of a new machine. `asRoot`: the machine gets a user id of its own.
 * Raises HOST_LIMIT when the path is too long for a socket or the folder cannot be made, FROZEN while
 * a person has everything stopped.
 */
export async function createMachineFolder(
  runtimeDir: string,
  asRoot: boolean,
  { groupParents = [], hasNetwork = false }: MachineFolderOptions = {},
): Promise<MachineFolder> {
  const longest = join(runtimeDir, "vm-00000", socketName);
  if (process.platform !== "win32" && Buffer.byteLength(longest) > socketPathBytesMax) {
    throw new LuminaGuardError(
      "HOST_LIMIT",
      `the runtime folder's path is too long: ${runtimeDir}`,
      {
        hint: "set LUMINAGUARD_RUNTIME_DIR to a shorter path (a socket's path has 103 bytes at most)",
      },
    );
  }
  const { number, path, id } = await claim(runtimeDir);
  const uid = asRoot ? machineUidFirst + number : undefined;
  const groups = nameGroups(groupParents, `${id}-${randomBytes(4).toString("hex")}`);
  const groupFolders = groups.map(({ folder }) => folder);
  const since = new Date().toISOString();
  const record: MachineRecord = { host: identifySelf(), since, hasNetwork, groups: groupFolders };
  // the record comes before the look: a stop that does not see the one is seen by the other
  const write = async (more: Pick<MachineRecord, "vmm">): Promise<void> => {
    await writeRecord(runtimeDir, id, { ...record, ...more });
    refuseWhileStopped(runtimeDir);
    refuseRemoved(runtimeDir, id);
  };
  let endWatch = (): void => undefined;
  try {
    if (uid !== undefined) await chown(path, uid, uid);
    await write({});
  } catch (error) {
    await removeMachine(runtimeDir, id, []);
    if (isLuminaGuardError(error)) throw error;
    throw toHostError(error, "a machine's folder cannot be made");
  }
  return {
    id,
    path,
    uid,
    groups,
    recordProcess: (vmm) => write({ vmm }),
    watchFrozen: (onFrozen) => {
      endWatch = watchFrozen(runtimeDir, id, (isFrozen) => onFrozen(isFrozen, id));
    },
    setHeld: (isHeld) => (isHeld ? setMark : clearMark)(runtimeDir, id, "held"),
    removal: () => (hasMark(runtimeDir, id, "removed") ? removedReason : undefined),
    remove: () => {
      endWatch();
      return removeMachine(runtimeDir, id, groupFolders);
    },
  };
}

async function claim(runtimeDir: string): Promise<{ number: number; path: string; id: string }> {
  try {
    await makePrivateFolder(runtimeDir);
    for (;;) {
      const number = randomBytes(4).readUInt32BE() % 2 ** 20;
      const id = `vm-${number.toString(16).padStart(5, "0")}`;
      const path = join(runtimeDir, id);
      const made = await mkdir(path, { mode: 0o700 }).then(() => true, isTaken);
      if (made) return { number, path, id };
    }
  } catch (error) {
    throw toHostError(error, "a machine's folder cannot be made");
  }
}

function isTaken(error: unknown): boolean {
  if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
  throw error;
}

async function removeMachine(
  runtimeDir: string,
  id: string,
  groupFolders: readonly string[],
): Promise<void> {
  const groupsGone = await removeGroups(groupFolders);
  // Windows keeps the files of a process for a moment after its end
  await rm(join(runtimeDir, id), { recursive: true, force: true, maxRetries: 5 });
  await rm(join(runtimeDir, `${id}.json.new`), { force: true });
  if (!groupsGone) return; // the record leads a later start to them
  await rm(join(runtimeDir, `${id}.json`), { force: true });
  clearMarks(runtimeDir, id);
}

/**
 * Ends and removes every machine whose host process is dead. Returns their ids. Hypervisors die
 * with their host by themselves; this is the second net, and what takes the files away.
 * @param onEnded awaited before the files of an ended machine go; it must not throw
 */
export async function reapMachines(
  runtimeDir: string,
  onEnded: (id: string) => Promise<void> = () => Promise.resolve(),
): Promise<readonly string[]> {
  const names = await readdir(runtimeDir).catch(() => []);
  const ids = new Set(
    names.flatMap(
      (name) =>
        /^(vm-[0-9a-f]{5})(\.json|\.json\.new|\.frozen|\.held|\.removed)?$/.exec(name)?.[1] ?? [],
    ),
  );
  const reaped: string[] = [];
  for (const id of ids) {
    const record = readRecord(runtimeDir, id);
    // a folder without a record is one being made right now, or was left in that instant
    if (record === undefined && !(await isOld(join(runtimeDir, id)))) continue;
    if (record !== undefined && (await isRunning(record.host))) continue;
    for (const pid of await findHypervisor(runtimeDir, id, record)) killProcess(pid);
    await onEnded(id);
    await removeMachine(runtimeDir, id, record?.groups ?? []);
    reaped.push(id);
  }
  return reaped;
}

/** A host that died in the instant of starting one had not yet written down which. */
async function findHypervisor(
  runtimeDir: string,
  id: string,
  record: MachineRecord | undefined,
): Promise<readonly number[]> {
  if (record?.vmm === null) return [];
  // the job object has ended it, and its number alone may be another's by now
  if (process.platform === "win32") return [];
  if (record?.vmm === undefined) {
    const sockets = hypervisorSockets.map((name) => findByArgument(join(runtimeDir, id, name)));
    return (await Promise.all(sockets)).flat();
  }
  return (await isRunning(record.vmm)) ? [record.vmm.pid] : [];
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined || Date.now() - found.ctimeMs > 10_000;
}
