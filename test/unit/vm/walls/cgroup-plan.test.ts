import { describe, expect, it } from "vitest";
import { planGroups } from "../../../../src/vm/walls/cgroup-plan.ts";
import type { GroupPlan } from "../../../../src/vm/walls/cgroup-plan.ts";

interface Host {
  readonly mountinfo: string;
  readonly cgroup: string;
  /** files of the kernel's, beside those two */
  readonly files?: Readonly<Record<string, string>>;
  readonly writable: readonly string[];
  readonly asRoot?: boolean;
}

function plan({ mountinfo, cgroup, files = {}, writable, asRoot = false }: Host): GroupPlan {
  const all: Readonly<Record<string, string>> = {
    "/proc/self/mountinfo": mountinfo,
    "/proc/self/cgroup": cgroup,
    ...files,
  };
  return planGroups({
    asRoot,
    read: (path) => all[path],
    mayWrite: (path) => writable.includes(path),
  });
}

const v1 = {
  mountinfo: `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`,
  cgroup: `9:name=systemd:/
4:memory:/jobs/one:two
1:cpu,cpuacct:/
0::/
`,
};

describe("control groups of version 1", () => {
  it("are made below our own group in each hierarchy that is mounted and ours to write", () => {
    const writable = ["/sys/fs/cgroup/memory/jobs/one:two", "/sys/fs/cgroup/cpu,cpuacct"];
    const parents = [
      { folder: writable[0], version: 1, controllers: ["memory"] },
      { folder: writable[1], version: 1, controllers: ["cpu"] },
    ];
    expect(plan({ ...v1, writable })).toEqual({ kind: "ready", parents });
    expect(plan({ ...v1, writable: writable.slice(0, 1) })).toEqual({
      kind: "ready",
      parents: parents.slice(0, 1),
    });
  });

  it("are none without the memory's, which a person's own user may not write", () => {
    expect(plan({ ...v1, writable: ["/sys/fs/cgroup/cpu,cpuacct"] })).toMatchObject({
      kind: "unavailable",
      fix: expect.stringContaining("systemd.unified_cgroup_hierarchy=1") as unknown,
    });
  });

  it("are found where a container sees only its own part of a hierarchy", () => {
    const host = {
      mountinfo: "35 31 0:32 /box/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
      writable: ["/sys/fs/cgroup/memory/inner"],
      asRoot: true,
    };
    const parents = [{ folder: host.writable[0], version: 1, controllers: ["memory"] }];
    const within = plan({ ...host, cgroup: "4:memory:/box/1/inner" });
    expect(within).toEqual({ kind: "ready", parents });
    const outside = plan({ ...host, cgroup: "4:memory:/box/12/inner" });
    expect(outside).toMatchObject({ kind: "unavailable" });
  });
});

const user = "/user.slice/user-1000.slice/user@1000.service";
const at = "/sys/fs/cgroup";
const v2 = {
  mountinfo: "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
  files: {
    [`${at}/cgroup.subtree_control`]: "cpuset cpu io memory pids\n",
    [`${at}${user}/cgroup.subtree_control`]: "cpu memory pids\n",
    [`${at}${user}/app.slice/cgroup.subtree_control`]: "memory pids\n",
    [`${at}${user}/app.slice/run-1.scope/cgroup.subtree_control`]: "\n",
  },
  writable: ["", "/app.slice", "/app.slice/run-1.scope"].flatMap((path) => {
    return [`${at}${user}${path}`, `${at}${user}${path}/cgroup.procs`];
  }),
};

describe("control groups of version 2", () => {
  it("are made beside us, below the nearest group whose memory is limited and that is ours", () => {
    expect(plan({ ...v2, cgroup: `0::${user}/app.slice/run-1.scope\n` })).toEqual({
      kind: "ready",
      parents: [{ folder: `${at}${user}/app.slice`, version: 2, controllers: ["memory", "pids"] }],
    });
  });

  it("are none in a session that is not the user's own, with the command that starts one", () => {
    const cgroup = "0::/user.slice/user-1000.slice/session-3.scope\n";
    expect(plan({ ...v2, cgroup })).toMatchObject({
      kind: "unavailable",
      fix: expect.stringContaining("systemd-run --user --scope") as unknown,
    });
  });

  it("are none where processes may not be moved: only the folder is ours", () => {
    const writable = v2.writable.filter((path) => !path.endsWith("/cgroup.procs"));
    const cgroup = `0::${user}/app.slice/run-1.scope\n`;
    expect(plan({ ...v2, writable, cgroup })).toMatchObject({ kind: "unavailable" });
  });

  it("are none in a container that may not write them, and its root is told where to read on", () => {
    const refused = plan({ ...v2, writable: [], cgroup: "0::/\n", asRoot: true });
    expect(refused).toMatchObject({
      kind: "unavailable",
      fix: expect.stringContaining("docs/platforms.md#control-groups") as unknown,
    });
  });

  it("are none for a process whose group lies outside of what it sees", () => {
    expect(plan({ ...v2, cgroup: "0::/../../other\n" })).toMatchObject({ kind: "unavailable" });
  });
});

describe("a host without control groups", () => {
  it("has a plan that says so", () => {
    expect(plan({ mountinfo: "", cgroup: "", writable: [] })).toMatchObject({
      kind: "unavailable",
      reason: "no control groups are mounted here",
    });
  });
});
