/**
 * The walls around a hypervisor process. Under emulation QEMU promises no isolation, so these walls
 * are the ones that stand: own user, mount, pid, net, ipc and uts namespaces, only the machine's own
 * files to see, no new privileges, never root, bounded memory, and death with the parent.
 *
 * Pure: from a command and what it may touch to the command that is run.
 */
import { dirname } from "node:path";
import { tether } from "../../process/tethered.ts";
import type { GroupParent } from "./cgroup-plan.ts";

export interface ConfinementTools {
  /** namespaces by bubblewrap; without it only user id, limits and death with the parent remain */
  readonly namespaces: boolean;
  /** LuminaGuard runs as root, so each machine gets a user id of its own */
  readonly asRoot: boolean;
  /** the platform is not Linux and has none of these walls; a process between ends with the parent */
  readonly tethered?: boolean | undefined;
  /** where each machine gets a control group; none: its address space is what is bounded */
  readonly groupParents: readonly GroupParent[];
}

export interface Confined {
  readonly command: readonly [string, ...string[]];
  /** files it may read */
  readonly readOnly: readonly string[];
  /** files and folders it may read and write */
  readonly readWrite: readonly string[];
  /** device nodes it may open, such as the KVM device */
  readonly devices: readonly string[];
  /** where the command starts
   * @default "/" */
  readonly workFolder?: string | undefined;
  /** largest file it may write, in `bytes`
   * @default no bound of its own */
  readonly fileBytesMax?: number | undefined;
  readonly uid: number | undefined;
  /** groups that `uid` is a member of, for its devices */
  readonly groups: readonly number[];
  /** address space in `bytes` */
  readonly addressSpaceBytesMax: number;
  /** it keeps the host's network, for a machine with a network card */
  readonly network: boolean;
  /** descriptor on which the wall-builder says the pid of the first process inside */
  readonly infoFd: number;
  /** duplex channels that the process gets from descriptor 3 on
   * @default 1 */
  readonly channels?: number | undefined;
  /** descriptor from which the wall-builder waits for a byte before it starts the command */
  readonly gateFd?: number | undefined;
}

/** largest number of threads and processes of one machine's user */
const processesMax = 512;
const openFilesMax = 1024;

/** names the servers that a name is asked of */
const resolverFile = "/etc/resolv.conf";

/** System folders with programs and libraries; nothing of a person is in them. */
const systemFolders = ["/usr", "/lib", "/lib64", "/bin", "/sbin"];

/** Whether a program can be started behind the walls. `realPath` is without links. */
export function isBehindWalls(realPath: string): boolean {
  return systemFolders.some((folder) => realPath.startsWith(`${folder}/`));
}

export function confine(
  confined: Confined,
  tools: Pick<ConfinementTools, "asRoot" | "namespaces" | "tethered">,
): readonly [string, ...string[]] {
  // the tether is the first channel, on which it says the pid as the wall-builder would
  if (tools.tethered === true) return tether(confined.command, (confined.channels ?? 1) - 1);
  return [
    "prlimit",
    `--as=${confined.addressSpaceBytesMax}`,
    `--nofile=${openFilesMax}`,
    "--core=0",
    ...(confined.fileBytesMax === undefined ? [] : [`--fsize=${confined.fileBytesMax}`]),
    // counted per user id: only an id of the machine's own can be bounded
    ...(confined.uid === undefined ? [] : [`--nproc=${processesMax}`]),
    "--",
    ...(tools.namespaces ? inNamespaces(confined, tools) : withoutNamespaces(confined)),
  ];
}

function inNamespaces(confined: Confined, tools: Pick<ConfinementTools, "asRoot">): string[] {
  const visible = [
    ...systemFolders.flatMap((path) => ["--ro-bind-try", path, path]),
    ...confined.readOnly.flatMap((path) => ["--ro-bind", path, path]),
    ...(confined.network ? ["--ro-bind-try", resolverFile, resolverFile] : []),
    ...confined.readWrite.flatMap((path) => ["--bind", path, path]),
    ...confined.devices.flatMap((path) => ["--dev-bind", path, path]),
  ];
  return [
    "bwrap",
    ...(tools.asRoot ? [] : ["--unshare-user"]),
    "--unshare-pid",
    ...(confined.network ? [] : ["--unshare-net"]),
    ...["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    // bubblewrap's own first process stays in the new pid namespace: a parent's death may signal it,
    // though not a process of another user, and the kernel takes the namespace down with it
    ...["--die-with-parent", "--info-fd", String(confined.infoFd)],
    ...(confined.gateFd === undefined ? [] : ["--block-fd", String(confined.gateFd)]),
    ...["--dev", "/dev", "--proc", "/proc"],
    // as root, folders that lead to a bind would be made for root alone
    ...listParents([...confined.readOnly, ...confined.readWrite]).flatMap((path) => {
      return ["--perms", "0755", "--dir", path];
    }),
    ...visible,
    ...["--chdir", confined.workFolder ?? "/", "--"],
    ...asOwnUser(confined),
  ];
}

/** Every folder above the paths, each before those in it. */
function listParents(paths: readonly string[]): readonly string[] {
  const parents = new Set<string>();
  for (const path of paths) {
    for (let at = dirname(path); at !== "/"; at = dirname(at)) parents.add(at);
  }
  return [...parents].sort();
}

/** As root the walls are built first, then the user is left for the machine's own. */
function asOwnUser({ uid, groups, command }: Confined): string[] {
  if (uid === undefined) return [...command];
  return [
    ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`],
    groups.length === 0 ? "--clear-groups" : `--groups=${groups.join(",")}`,
    ...["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"],
    ...["unshare", "--user", "--map-current-user"],
    // changing users made the kernel forget the parent whose death is to be this process's
    ...["setpriv", "--pdeathsig=KILL", ...command],
  ];
}

/** Only for a person's own user: root is refused machines where there are no namespaces. */
function withoutNamespaces({ command, workFolder }: Confined): string[] {
  const start = workFolder === undefined ? [] : ["env", "--chdir", workFolder];
  return [...start, "setpriv", "--no-new-privs", "--pdeathsig=KILL", ...command];
}
