/**
 * The walls around a hypervisor process. Under emulation QEMU promises no isolation, so these walls
 * are the ones that stand: own user, mount, pid, net, ipc and uts namespaces, only the machine's own
 * files to see, no new privileges, never root, bounded memory, and death with the parent.
 *
 * Pure: from a command and what it may touch to the command that is run.
 */
export interface ConfinementTools {
  /** namespaces by bubblewrap; without it only user id, limits and death with the parent remain */
  readonly namespaces: boolean;
  /** LuminaGuard runs as root, so each machine gets a user id of its own */
  readonly asRoot: boolean;
}

export interface Confined {
  readonly command: readonly [string, ...string[]];
  /** files it may read */
  readonly readOnly: readonly string[];
  /** files and folders it may read and write */
  readonly readWrite: readonly string[];
  /** device nodes it may open, such as the KVM device */
  readonly devices: readonly string[];
  readonly uid: number | undefined;
  /** address space in `bytes` */
  readonly addressSpaceBytesMax: number;
  /** descriptor on which the wall-builder says the confined process's pid */
  readonly infoFd: number;
}

/** largest number of threads and processes of one machine's user */
const processesMax = 512;
const openFilesMax = 1024;

/** System folders with programs and libraries; nothing of a person is in them. */
const systemFolders = ["/usr", "/lib", "/lib64", "/bin", "/sbin"];

export function confine(
  confined: Confined,
  tools: ConfinementTools,
): readonly [string, ...string[]] {
  return [
    "prlimit",
    `--as=${confined.addressSpaceBytesMax}`,
    `--nofile=${openFilesMax}`,
    "--core=0",
    // counted per user id: only an id of the machine's own can be bounded
    ...(confined.uid === undefined ? [] : [`--nproc=${processesMax}`]),
    "--",
    ...(tools.namespaces ? inNamespaces(confined, tools) : withoutNamespaces(confined)),
  ];
}

function inNamespaces(confined: Confined, tools: ConfinementTools): string[] {
  const visible = [
    ...systemFolders.flatMap((path) => ["--ro-bind-try", path, path]),
    ...confined.readOnly.flatMap((path) => ["--ro-bind", path, path]),
    ...confined.readWrite.flatMap((path) => ["--bind", path, path]),
    ...confined.devices.flatMap((path) => ["--dev-bind", path, path]),
  ];
  return [
    "bwrap",
    ...(tools.asRoot ? [] : ["--unshare-user"]),
    ...["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    ...["--die-with-parent", "--as-pid-1", "--info-fd", String(confined.infoFd)],
    ...["--dev", "/dev"],
    ...visible,
    ...["--chdir", "/", "--"],
    ...asOwnUser(confined),
  ];
}

/** As root the walls are built first, then the user is left for the machine's own. */
function asOwnUser(confined: Confined): string[] {
  if (confined.uid === undefined) return [...confined.command];
  const uid = String(confined.uid);
  return [
    ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
    ...["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"],
    ...["unshare", "--user", "--map-current-user"],
    ...confined.command,
  ];
}

function withoutNamespaces(confined: Confined): string[] {
  const uid = confined.uid === undefined ? [] : [String(confined.uid)];
  const user = uid.flatMap((id) => [`--reuid=${id}`, `--regid=${id}`, "--clear-groups"]);
  return ["setpriv", ...user, "--no-new-privs", "--pdeathsig=KILL", ...confined.command];
}
