/**
 * Firecracker's own walls: its jailer, which root starts in namespaces of the machine's own. The jail is
 * a file system in memory that only they see, so nothing of it is left when the last process has ended.
 * Firecracker's docs/jailer.md; what the kernel does with a pid namespace is in pid_namespaces(7).
 *
 * Pure: from what is to run in a jail to the command that is run.
 */
import { join } from "node:path";
import { names } from "./calls.ts";
import type { PlacedFile } from "./calls.ts";

export interface Jailed {
  readonly jailer: string;
  readonly binary: string;
  readonly id: string;
  /** an empty folder of the machine's */
  readonly base: string;
  /** user and group of the machine's own */
  readonly uid: number;
  readonly files: readonly PlacedFile[];
  readonly addressSpaceBytesMax: number;
  /** largest file it may write, in `bytes` */
  readonly fileBytesMax: number;
}

const openFilesMax = 1024;
/** Firecracker's binary, the state of a snapshot, its log and its counters */
const jailMib = 128;

/**
 * The first process of the namespaces, which stays: it is root, so that the death of its parent ends it,
 * and with it the kernel ends all inside. The process in the jail cannot be told: it changed its user.
 */
const script = `set -e
base=$1 root=$2 uid=$3
shift 3
mount -t tmpfs -o "mode=0755,nosuid,size=${jailMib}m" jail "$base"
mkdir -p "$root"
for name in ${names.log} ${names.metrics}; do
  : >"$root/$name"
  chown "$uid:$uid" "$root/$name"
done
while [ "$1" != -- ]; do
  : >"$root/$3"
  mount --bind "$2" "$root/$3"
  [ "$1" = rw ] || mount -o remount,bind,ro "$root/$3"
  shift 3
done
shift
"$@" &
wait $!`;

export function jailCommand(jailed: Jailed): readonly [string, ...string[]] {
  const { jailer, binary, id, base, files, uid, fileBytesMax } = jailed;
  const root = join(base, "firecracker", id, "root");
  return [
    ...(["prlimit", `--as=${jailed.addressSpaceBytesMax}`, "--core=0", "--"] as const),
    ...["setpriv", "--no-new-privs", "--pdeathsig=KILL"],
    ...["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child=KILL"],
    ...["--", "sh", "-c", script, "jail", base, root, String(uid)],
    ...files.flatMap(({ name, path, writable }) => [writable ? "rw" : "ro", path, name]),
    "--",
    ...[jailer, "--id", id, "--exec-file", binary, "--uid", String(uid), "--gid", String(uid)],
    ...["--chroot-base-dir", base],
    // its groups are LuminaGuard's own, of either version: the jailer is to make none
    ...["--cgroup-version", "2"],
    ...["--resource-limit", `no-file=${openFilesMax}`, "--resource-limit", `fsize=${fileBytesMax}`],
    ...["--", "--api-sock", names.api],
  ];
}
