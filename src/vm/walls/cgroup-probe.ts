/** Whether machines can have control groups here, as this host and this user's rights are now. */
import { accessSync, constants, readFileSync } from "node:fs";
import { planGroups } from "./cgroup-plan.ts";
import type { GroupPlan, HostView } from "./cgroup-plan.ts";

/** Asked at each start, as it depends on the group that this process was started in. */
export function probeGroups(asRoot: boolean): GroupPlan {
  return planGroups({ asRoot, read, mayWrite });
}

const read: HostView["read"] = (path) => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // not Linux, or not such a group
  }
};

const mayWrite: HostView["mayWrite"] = (path) => {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false; // another user's, or mounted read-only
  }
};
