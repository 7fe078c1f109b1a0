/**
 * Each machine has one folder below the runtime folder, 0700, named by the machine's id. Making the
 * folder is what claims the id, and with it the machine's own user id when LuminaGuard runs as root.
 * The record inside says whose machine it is, so that a later start can clear what a dead host left.
 */
import { randomBytes } from "node:crypto";
import { chown, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { makePrivateFolder } from "../base/private-folder.ts";
import { toHostError } from "../base/host-error.ts";
import { LuminaGuardError } from "../errors.ts";
import { killProcess } from "../process/child.ts";
import { findByArgument, identifySelf, isRunning } from "../process/process-identity.ts";
import type { ProcessIdentity } from "../process/process-identity.ts";
import { nameGroups, removeGroups } from "./cgroup.ts";
import type { Group } from "./cgroup.ts";
import type { GroupParent } from "./cgroup-plan.ts";

/**
 * First of 2^20 user ids that only machines use. systemd's table of ids (docs/UIDS-GIDS) leaves
 * 1879048192 to 2147483647 to nobody.
 */
const machineUidFirst = 1_879_048_192;
/** longest path of a Unix socket: 108 bytes on Linux, 104 on macOS, with the closing zero */
const socketPathBytesMax = 103;

/** the wire, in a machine's folder */
const socketName = "wire.sock";

export interface MachineFolder {
  readonly id: string;
  readonly path: string;
  /** the user the hypervisor process runs as; `undefined`: the caller's own */
  readonly uid: number | undefined;
  /** control groups of the machine's own, in the record before anybody makes them */
  readonly groups: readonly Group[];
  /** adds the hypervisor process to the record */
  readonly recordProcess: (vmm: ProcessIdentity) => Promise<void>;
  readonly remove: () => Promise<void>;
}

const identitySchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startTicks: v.nullable(v.number()),
});
const recordSchema = v.object({
  host: identitySchema,
  vmm: v.optional(identitySchema),
  groups: v.optional(v.array(v.string()), []),
});
type MachineRecord = v.InferOutput<typeof recordSchema>;

/**
 * Makes the folder of a new machine. `asRoot`: the machine gets a user id of its own. Its control
 * groups will be below `groupParents`.
 * Raises HOST_LIMIT when the path is too long for a socket or the folder cannot be made.
 */
export async function createMachineFolder(
  runtimeDir: string,
  asRoot: boolean,
  groupParents: readonly GroupParent[] = [],
): Promise<MachineFolder> {
  const longest = join(runtimeDir, "vm-00000", socketName);
  if (Buffer.byteLength(longest) > socketPathBytesMax) {
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
  const host = identifySelf();
  const groups = nameGroups(groupParents, `${id}-${randomBytes(4).toString("hex")}`);
  const groupFolders = groups.map(({ folder }) => folder);
  const write = async (vmm?: ProcessIdentity): Promise<void> => {
    const file = join(runtimeDir, `${id}.json`);
    const record: MachineRecord = { host, vmm, groups: groupFolders };
    await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${file}.new`, file);
  };
  try {
    if (uid !== undefined) await chown(path, uid, uid);
    await write();
  } catch (error) {
    await removeMachine(runtimeDir, id, []);
    throw toHostError(error, "a machine's folder cannot be made");
  }
  return {
    id,
    path,
    uid,
    groups,
    recordProcess: write,
    remove: () => removeMachine(runtimeDir, id, groupFolders),
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
  await rm(join(runtimeDir, id), { recursive: true, force: true });
  await rm(join(runtimeDir, `${id}.json.new`), { force: true });
  if (!groupsGone) return; // the record leads a later start to them
  await rm(join(runtimeDir, `${id}.json`), { force: true });
}

/**
 * Ends and removes every machine whose host process is dead. Returns their ids. Hypervisors die
 * with their host by themselves; this is the second net, and what takes the files away.
 */
export async function reapMachines(runtimeDir: string): Promise<readonly string[]> {
  const names = await readdir(runtimeDir).catch(() => []);
  const ids = new Set(
    names.flatMap((name) => /^(vm-[0-9a-f]{5})(\.json|\.json\.new)?$/.exec(name)?.[1] ?? []),
  );
  const reaped: string[] = [];
  for (const id of ids) {
    const record = await readRecord(join(runtimeDir, `${id}.json`));
    // a folder without a record is one being made right now, or was left in that instant
    if (record === undefined && !(await isOld(join(runtimeDir, id)))) continue;
    if (record !== undefined && (await isRunning(record.host))) continue;
    for (const pid of await findHypervisor(runtimeDir, id, record)) killProcess(pid);
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
  if (record?.vmm === undefined) return findByArgument(join(runtimeDir, id, socketName));
  return (await isRunning(record.vmm)) ? [record.vmm.pid] : [];
}

async function readRecord(path: string): Promise<MachineRecord | undefined> {
  try {
    return v.parse(recordSchema, JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined; // missing or cut short by the host's death: treated as no record
  }
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined || Date.now() - found.ctimeMs > 10_000;
}
