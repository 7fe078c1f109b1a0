/**
 * What Firecracker is told, as calls of its API: from a machine's spec to the boot of one, to a template
 * and to a clone. Pure. Paths are names in the process's own working folder, so that what is recorded
 * in a snapshot means each clone's own files. Source: src/firecracker/swagger/firecracker.yaml and
 * docs/snapshotting/snapshot-support.md of Firecracker.
 */
import { commonKernelArgs } from "../../kernel/kernel-args.ts";
import type { VmSpec } from "../../spec.ts";
import type { Capabilities } from "./versions.ts";

export interface ApiCall {
  readonly method: "PUT" | "PATCH";
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Names in a machine's working folder. */
export const names = {
  api: "api.sock",
  kernel: "kernel",
  initramfs: "initramfs",
  layer: "layer",
  vsock: "v.sock",
  log: "log",
  metrics: "metrics",
  memory: "memory",
  state: "state",
  /** what a running machine is saved into: it may have been loaded from the two above */
  savedMemory: "saved-memory",
  savedState: "saved-state",
} as const;

/** A file of the host under a name in the working folder. */
export interface PlacedFile {
  readonly name: string;
  readonly path: string;
  readonly writable: boolean;
}

/** Any number from 3 on; each machine has a host side of its own, so none meets another's. */
const guestCid = 3;

/** what the guest's kernel is told; the guest agent serves vsock where no port has that name */
const kernelArgs = `console=ttyS0 ${commonKernelArgs} reboot=k pci=off luminaguard.port=vsock`;
/** devices that are not there need not be looked for */
const x86Args = "i8042.noaux i8042.nomux i8042.dumbkbd";

export interface BootFacts {
  readonly spec: VmSpec;
  readonly architecture: "x64" | "arm64";
}

/** Where the process writes its log and its counters; the first calls of every process. */
export function listObserving(): readonly ApiCall[] {
  return [
    put("/logger", { log_path: names.log, level: "Warning" }),
    put("/metrics", { metrics_path: names.metrics }),
  ];
}

/** A machine from its kernel, in the order in which one builds on the other; the last call starts it. */
export function listBoot(facts: BootFacts): readonly ApiCall[] {
  const { spec, architecture } = facts;
  return [
    put("/machine-config", {
      vcpu_count: spec.vcpus,
      mem_size_mib: spec.memoryMib,
      smt: false,
      track_dirty_pages: false,
    }),
    put("/boot-source", {
      kernel_image_path: names.kernel,
      initrd_path: names.initramfs,
      boot_args: architecture === "x64" ? `${kernelArgs} ${x86Args}` : kernelArgs,
    }),
    ...listDrives(spec),
    put("/vsock", { guest_cid: guestCid, uds_path: names.vsock }),
    put("/entropy", {}),
    put("/actions", { action_type: "InstanceStart" }),
  ];
}

function listDrives({ image }: VmSpec): readonly ApiCall[] {
  if (image.layerPath === undefined) return [];
  const drive = {
    drive_id: "layer",
    path_on_host: names.layer,
    is_root_device: false,
    is_read_only: true,
    io_engine: "Sync",
  };
  return [put("/drives/layer", drive)];
}

/** A running machine into the files of a snapshot; it stays stopped. */
export function listFreeze(): readonly ApiCall[] {
  return [pause, createSnapshot(names.state, names.memory)];
}

/** The same in three steps: whatever becomes of the second, the third lets the machine go on. */
export function listSave(): Readonly<Record<"pause" | "create" | "resume", ApiCall>> {
  return { pause, create: createSnapshot(names.savedState, names.savedMemory), resume };
}

const pause: ApiCall = { method: "PATCH", path: "/vm", body: { state: "Paused" } };
const resume: ApiCall = { method: "PATCH", path: "/vm", body: { state: "Resumed" } };

function createSnapshot(state: string, memory: string): ApiCall {
  return put("/snapshot/create", {
    snapshot_type: "Full",
    snapshot_path: state,
    mem_file_path: memory,
  });
}

/** A machine from the files of a snapshot, running. */
export function listThaw(can: Capabilities): readonly ApiCall[] {
  return [
    put("/snapshot/load", {
      snapshot_path: names.state,
      mem_backend: { backend_type: "File", backend_path: names.memory },
      resume_vm: true,
      // the same name: said aloud where it can be, so that nothing of another clone's is ever met
      ...(can.vsockOverride ? { vsock_override: { uds_path: names.vsock } } : {}),
    }),
  ];
}

function put(path: string, body: Readonly<Record<string, unknown>>): ApiCall {
  return { method: "PUT", path, body };
}
