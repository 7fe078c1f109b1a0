/** Calls of Firecracker's API in an order and a form that it refuses, and whether it does. */
import { listFreeze, listSave, listThaw } from "../../src/vm/backends/firecracker/calls.ts";
import type { ApiCall } from "../../src/vm/backends/firecracker/calls.ts";
import { capabilitiesOf } from "../../src/vm/backends/firecracker/versions.ts";

export interface JudgedCall {
  readonly call: ApiCall;
  readonly isTaken: boolean;
}

const put = (path: string, body: Readonly<Record<string, unknown>>): ApiCall => {
  return { method: "PUT", path, body };
};

/** Said one after another to a process that has just started. */
export function listWrongCalls(version: string): readonly JudgedCall[] {
  const refused: ApiCall[] = [
    // nothing runs
    ...listFreeze(),
    ...Object.values(listSave()),
    put("/actions", { action_type: "InstanceStart" }),
    put("/actions", { action_type: "FlushMetrics" }),
    // unknown fields, wrong types, missing fields, words that are none of theirs
    put("/machine-config", { vcpu_count: 1, mem_size_mib: 128, no: 1 }),
    put("/machine-config", { vcpu_count: "1", mem_size_mib: 128 }),
    put("/machine-config", { vcpu_count: 1 }),
    put("/machine-config", { vcpu_count: 1, mem_size_mib: 128, huge_pages: "4M" }),
    put("/machine-config", { vcpu_count: 0, mem_size_mib: 128 }),
    put("/machine-config", { vcpu_count: 33, mem_size_mib: 128 }),
    put("/machine-config", { vcpu_count: 1, mem_size_mib: 0 }),
    put("/machine-config", { vcpu_count: 1, mem_size_mib: -1 }),
    put("/boot-source", { kernel_image_path: "none" }),
    put("/boot-source", { boot_args: "quiet" }),
    put("/drives/layer", { drive_id: "other", is_root_device: false }),
    put("/vsock", { guest_cid: 3 }),
    put("/vsock", { guest_cid: "3", uds_path: "v.sock" }),
    put("/actions", { action_type: "Stop" }),
    put("/snapshot/load", { snapshot_path: "state", resume: true }),
    { method: "PATCH", path: "/vm", body: { state: "Stopped" } },
    put("/nowhere", {}),
  ];
  const taken = put("/entropy", {});
  // now something only a boot can use is configured
  const late = listThaw(capabilitiesOf(version));
  return [
    ...refused.map((call) => ({ call, isTaken: false })),
    { call: taken, isTaken: true },
    ...late.map((call) => ({ call, isTaken: false })),
  ];
}
