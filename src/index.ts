/** LuminaGuard as a library: names only. Start with `createLuminaGuard`. */

// machines
export { createLuminaGuard } from "./runtime/create-luminaguard.ts";
export type { LuminaGuardOptions } from "./runtime/create-luminaguard.ts";
export { LuminaGuard } from "./runtime/luminaguard.ts";
export type { SpawnOptions } from "./runtime/luminaguard.ts";
export { Machine } from "./runtime/machine.ts";
export type { MachineFacts, MachineFiles } from "./runtime/machine.ts";
export { ExecHandle } from "./runtime/exec-handle.ts";
export type { ExecOptions, ExecResult } from "./runtime/exec-handle.ts";
export type { OutputChunk, TtySize } from "./wire/exec.ts";
export { Pool } from "./vm/pool.ts";

// a command in a machine on a copy of a folder, and what it changed
export { runTask } from "./runtime/run-task.ts";
export type { TaskFace, TaskRequest, TaskResult } from "./runtime/run-task.ts";
export { ChangeDesk } from "./runtime/change-desk.ts";
export type { ApplyChoice, ApplyResult, Change, ChangeSet } from "./runtime/values.ts";

// for whoever adds a way to run machines
export type {
  Greeter,
  Hypervisor,
  HypervisorFeatures,
  Probe,
  SpawnConfig,
  VmExit,
  VmInstance,
} from "./vm/hypervisor.ts";
export { ManagedVm } from "./vm/managed-vm.ts";
export { resolveVmSpec } from "./vm/spec.ts";
export type { VmImage, VmSpec, VmSpecOptions } from "./vm/spec.ts";

// errors
export { LuminaGuardError, errorCodes, isLuminaGuardError } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
