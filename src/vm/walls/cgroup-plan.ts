/**
 * Where on this host a machine's control group can be made, from what the kernel says in
 * /proc/self/cgroup and /proc/self/mountinfo (man 7 cgroups). Pure: the host is handed in.
 *
 * cgroup v1 has a hierarchy for each controller, and a group below our own can be made in each.
 * cgroup v2 has one, where a group that holds processes has no groups with limits below it: machines
 * go beside us, below the nearest group above us whose controllers are on and that is ours to write.
 * Moving a process asks for the right to write in the group above both, which is that one.
 */
import { dirname, join, resolve } from "node:path";

export type Controller = "memory" | "cpu" | "pids";

/** A folder of the kernel's that groups can be made in, and what those can limit. */
export interface GroupParent {
  readonly folder: string;
  readonly version: 1 | 2;
  readonly controllers: readonly Controller[];
}

export type GroupPlan =
  | { readonly kind: "ready"; readonly parents: readonly GroupParent[] }
  | { readonly kind: "unavailable"; readonly reason: string; readonly fix: string };

export interface HostView {
  readonly asRoot: boolean;
  readonly read: (path: string) => string | undefined;
  readonly mayWrite: (path: string) => boolean;
}

const wanted: readonly Controller[] = ["memory", "cpu", "pids"];

/** Without a limit on memory there are no groups; the other limits are taken where they can be had. */
export function planGroups(host: HostView): GroupPlan {
  const mounts = parseMounts(host.read("/proc/self/mountinfo") ?? "");
  const memberships = parseMemberships(host.read("/proc/self/cgroup") ?? "");
  const hierarchies = wanted.flatMap((controller) => {
    const folder = findOwnV1(controller, memberships, mounts);
    return folder === undefined ? [] : [{ controller, folder }];
  });
  if (hierarchies.some(({ controller }) => controller === "memory")) {
    return planV1(hierarchies, host);
  }
  return planV2(memberships, mounts, host);
}

interface Hierarchy {
  readonly controller: Controller;
  readonly folder: string;
}

function planV1(hierarchies: readonly Hierarchy[], host: HostView): GroupPlan {
  const writable = hierarchies.filter(({ folder }) => host.mayWrite(folder));
  if (!writable.some(({ controller }) => controller === "memory")) {
    const fix = host.asRoot
      ? containerFix
      : "start the kernel with systemd.unified_cgroup_hierarchy=1, or run as root";
    return unavailable("cgroup v1 is not this user's to write", fix);
  }
  const folders = [...new Set(writable.map(({ folder }) => folder))];
  const parents = folders.map((folder): GroupParent => {
    const mounted = writable.filter((one) => one.folder === folder);
    return { folder, version: 1, controllers: mounted.map(({ controller }) => controller) };
  });
  return { kind: "ready", parents };
}

function planV2(
  memberships: readonly Membership[],
  mounts: readonly Mount[],
  host: HostView,
): GroupPlan {
  const mount = mounts.find(({ type }) => type === "cgroup2");
  const path = memberships.find(({ controllers }) => controllers.length === 0)?.path;
  const own = mount && path !== undefined ? locate(path, mount) : undefined;
  if (mount === undefined || own === undefined) {
    return unavailable("no control groups are mounted here", containerFix);
  }
  for (let folder = own; isWithin(folder, mount.point); folder = dirname(folder)) {
    const enabled = (host.read(join(folder, "cgroup.subtree_control")) ?? "").trim().split(" ");
    const isOurs = host.mayWrite(folder) && host.mayWrite(join(folder, "cgroup.procs"));
    if (!enabled.includes("memory") || !isOurs) continue;
    const controllers = wanted.filter((controller) => enabled.includes(controller));
    return { kind: "ready", parents: [{ folder, version: 2, controllers }] };
  }
  return unavailable(
    "no group with the memory controller is this user's to write",
    host.asRoot ? containerFix : "start it with: systemd-run --user --scope luminaguard …",
  );
}

const containerFix = "mount /sys/fs/cgroup writable, see docs/platforms.md#control-groups";

function unavailable(reason: string, fix: string): GroupPlan {
  return { kind: "unavailable", reason, fix };
}

interface Mount {
  readonly type: string;
  /** which group of the hierarchy is mounted */
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

/** `31 23 0:28 <root> <point> rw … - <type> <source> <options>` */
function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [place = "", kind = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = place.split(" ");
    const [type = "", , options = ""] = kind.split(" ");
    return type.startsWith("cgroup") ? [{ type, root, point, options: options.split(",") }] : [];
  });
}

interface Membership {
  /** none: the line of cgroup v2 */
  readonly controllers: readonly string[];
  readonly path: string;
}

/** `4:memory:/our/group`, where the path may have colons */
function parseMemberships(text: string): readonly Membership[] {
  return text.split("\n").flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    return [{ controllers: controllers.split(",").filter(Boolean), path }];
  });
}

function findOwnV1(
  controller: Controller,
  memberships: readonly Membership[],
  mounts: readonly Mount[],
): string | undefined {
  const mount = mounts.find(({ type, options }) => {
    return type === "cgroup" && options.includes(controller);
  });
  const own = memberships.find(({ controllers }) => controllers.includes(controller));
  return mount && own && locate(own.path, mount);
}

/** The folder of a group; `undefined` where it lies outside of what is mounted. */
function locate(path: string, { root, point }: Mount): string | undefined {
  if (!isWithin(path, root) || path.startsWith("/..")) return undefined;
  return resolve(point, `.${path.slice(root === "/" ? 0 : root.length)}`);
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
