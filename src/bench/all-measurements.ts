/** Every measurement, in the order they are made: what disturbs others least comes first. */
import type { Measurement } from "./measurement.ts";
import { cardScreen } from "./measurements/card.ts";
import { cliffAllow, cliffMemory, cliffPending, cliffRate } from "./measurements/cliff.ts";
import { cliRun, cliVersion } from "./measurements/cli.ts";
import { clone, cloneOfColdBoot } from "./measurements/clone.ts";
import { coldBoot } from "./measurements/cold-boot.ts";
import { warmExec } from "./measurements/exec.ts";
import { filesIn, filesOut } from "./measurements/files.ts";
import { auditVerify, ledgerCommit } from "./measurements/ledger.ts";
import { fleetAnswers, fleetMemory, idleMemory } from "./measurements/memory.ts";
import { verdictOf20, verdictOf200 } from "./measurements/policy.ts";
import { mcpFailover, mcpGrowth, mcpOverhead, mcpStdio } from "./measurements/mcp.ts";
import { mcpHttpCpu, mcpHttpCpuBare, mcpHttpP50 } from "./measurements/mcp-http.ts";
import { checkpoint, fork, forksMemory, snapshotStop } from "./measurements/snapshot.ts";
import { movePause } from "./measurements/move.ts";
import { nodeAgain } from "./measurements/node.ts";
import { ociImage } from "./measurements/oci-image.ts";
import { poolClaim, poolExec } from "./measurements/pool.ts";

export const allMeasurements: readonly Measurement[] = [
  ...[coldBoot, cloneOfColdBoot, clone, cliRun, cliVersion],
  ...[poolClaim, poolExec, warmExec, filesIn, filesOut],
  ...[verdictOf20, verdictOf200],
  ...[cliffAllow, cliffRate, cliffPending, cliffMemory, cardScreen],
  ...[ledgerCommit, auditVerify],
  ...[mcpHttpCpu, mcpHttpCpuBare, mcpHttpP50, mcpStdio, mcpOverhead, mcpGrowth, mcpFailover],
  ...[snapshotStop, checkpoint, fork, forksMemory, movePause],
  ...[nodeAgain, ociImage],
  ...[idleMemory, fleetMemory, fleetAnswers],
];
