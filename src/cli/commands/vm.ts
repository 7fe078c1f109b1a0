/** `luminaguard vm`: machines that outlive a command; each command's own code is loaded with it. */
export { vmLogs, vmLs, vmRestart, vmRm, vmStart, vmStop } from "./vm-life.ts";
export { vmCp, vmExec, vmShell } from "./vm-use.ts";
export { vmMigrate, vmReceive } from "./vm-move.ts";
export { vmApply, vmCheckpoint, vmDiff } from "./vm-changes.ts";
export {
  vmFork,
  vmRestore,
  vmSnapshot,
  vmSnapshotLs,
  vmSnapshotRm,
  vmTree,
} from "./vm-snapshots.ts";
