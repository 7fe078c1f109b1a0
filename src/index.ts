/** LuminaGuard as a library: names only. Start with `createLuminaGuard`. */

// machines
export { createLuminaGuard } from "./runtime/create-luminaguard.ts";
export type { LuminaGuardOptions } from "./runtime/create-luminaguard.ts";
export { LuminaGuard } from "./runtime/luminaguard.ts";
export type { SpawnOptions } from "./runtime/luminaguard.ts";
export { Machine } from "./runtime/machine.ts";
export { draftNetworkCard, takeNetworkCardPermit } from "./runtime/network-card.ts";
export type { NetworkCardPermit, NetworkCardWish } from "./runtime/network-card.ts";
export type { MachineFacts } from "./runtime/machine.ts";
export type { MachineFiles } from "./runtime/machine-files.ts";
export { ExecHandle } from "./runtime/exec-handle.ts";
export type { ExecOptions, ExecResult } from "./runtime/exec-handle.ts";
export type { OutputChunk, TtySize } from "./wire/exec.ts";
export { Pool } from "./vm/pool.ts";

// a command in a machine on a copy of a folder, and what it changed
export { runTask } from "./runtime/run-task.ts";
export type { TaskFace, TaskRequest, TaskResult } from "./runtime/run-task.ts";
export { ChangeDesk } from "./runtime/cliff/change-desk.ts";
export type { ApplyChoice, ApplyResult, Change, ChangeSet } from "./runtime/values.ts";

// the Approval Cliff: what leaves a machine is asked about, and what was shown is what runs
export { CliffDesk } from "./runtime/cliff/cliff-desk.ts";
export type { OpenCliff } from "./runtime/cliff/cliff-desk.ts";
export { Cliff } from "./approvals/cliff.ts";
export type { RequestOptions } from "./approvals/cliff.ts";
export type { CliffVerdict } from "./approvals/cliff-verdict.ts";
export type { CliffEvent } from "./approvals/events.ts";
export type { Answer } from "./approvals/answer.ts";
export type { Approval, ApprovalState, SignedDecision } from "./approvals/approval.ts";
export type { ActionEnvelope, EnvelopeDraft, Operand, Taint } from "./approvals/envelope.ts";
export type { Effect, EffectKind } from "./approvals/effect.ts";
export type { Grant } from "./approvals/grant.ts";
export { proposeGrant } from "./approvals/grants.ts";
export type { GrantWish } from "./approvals/grants.ts";
export { assess } from "./approvals/risk.ts";
export type { Assessment, Reversibility, Risk } from "./approvals/risk.ts";
export type { PolicyEngine, PolicyQuestion, PolicyVerdict } from "./approvals/policy.ts";
export { buildCard } from "./approvals/card/build-card.ts";
export type { Card } from "./approvals/card/card.ts";

// for whoever adds a way to run machines
export type {
  Greeter,
  Hypervisor,
  HypervisorFeatures,
  Probe,
  Save,
  SaveKey,
  SavedMachine,
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
