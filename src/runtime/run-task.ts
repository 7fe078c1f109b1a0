/**
 * One command in one fresh machine: the folder goes in, the command runs with its output streamed,
 * what it changed comes out, and the machine is destroyed. Faces show it; nothing is applied here.
 */
import { isDeepStrictEqual } from "node:util";
import { LuminaGuardError, isLuminaGuardError, messageOf } from "../errors.ts";
import type { ContainerConfig } from "../image/manifest.ts";
import type { OutputChunk, TtySize } from "../wire/exec.ts";
import type { ChangeSet, Refusal } from "../workspace/change-set.ts";
import type { ExecHandle } from "./exec-handle.ts";
import type { LuminaGuard, SpawnOptions } from "./luminaguard.ts";
import type { Machine } from "./machine.ts";
import type { WorkspaceExchange, WorkspaceFacts } from "./workspace-exchange.ts";

export interface TaskRequest extends Pick<
  SpawnOptions,
  "image" | "memoryMib" | "vcpus" | "env" | "hypervisor" | "rosetta" | "networkCard"
> {
  /** empty for the image's own command */
  readonly argv: readonly string[];
  /** whether the image's entrypoint comes before the command
   * @default true */
  readonly entrypoint?: boolean | undefined;
  /** project folder, as `resolveWorkspaceRoot` gave it; without one nothing goes in or out */
  readonly workspace?: { readonly root: string; readonly include: readonly string[] } | undefined;
  /** folder in the machine
   * @default "/workspace"; without a workspace the image's own, where it has one */
  readonly workdir?: string | undefined;
  /** longest run of the command in `ms`, 0 for no limit */
  readonly timeoutMs?: number | undefined;
  readonly tty?: TtySize | undefined;
  /** the command gets a stdin, which the face writes */
  readonly stdin?: boolean | undefined;
}

/** What a face shows while a task runs. */
export interface TaskFace {
  readonly onPhase?: SpawnOptions["onPhase"];
  readonly onSpawned?: (machine: SpawnFacts) => void;
  readonly onWorkspace?: (facts: WorkspaceFacts) => void;
  /** the command has started: the face feeds its stdin and passes signals on */
  readonly onStarted?: (command: ExecHandle) => void;
  /** awaited before more output is read, which is what slows a fast command */
  readonly onOutput: (chunk: OutputChunk) => Promise<void> | void;
  /** the command has ended: what is typed from now on is not its */
  readonly onEnded?: () => void;
  /** a person stopped the machine, or lets it go on; what runs waits meanwhile */
  readonly onFrozen?: SpawnOptions["onFrozen"];
  /** the machine is gone, and with it everything in it that was not taken out */
  readonly onDestroyed?: (end: TaskEnd) => void;
}

export interface SpawnFacts {
  readonly machine: string;
  readonly kind: Machine["kind"];
  readonly ms: number;
  readonly backend: string;
  readonly accelerator: string;
  /** the machine has a network card */
  readonly hasNetwork: boolean;
  /** why nothing faster runs machines here, when there is a reason */
  readonly reason: string | undefined;
}

export interface TaskEnd {
  /** as container tools have it: the command's own, 124 timed out, 126, 127 */
  readonly exitCode: number;
  readonly timedOut: boolean;
  readonly durationMs: number;
  /** why the command could not be started, or was given up, for a person */
  readonly failure: string | undefined;
}

export interface TaskResult extends TaskEnd {
  readonly spawn: SpawnFacts;
  /** what the command wants to change; absent without a workspace or without changes */
  readonly changeSet: ChangeSet | undefined;
  /** what came out and can be applied nowhere */
  readonly refused: readonly Refusal[];
}

const nothingReceived = { set: undefined, refused: [] };

/** Raises what `spawn` raises, APPROVAL_DENIED for a card that was approved for another command, WORKSPACE_TOO_LARGE, VM_GONE, CHANGES_HOSTILE, or the signal's reason. */
export async function runTask(
  lumina: LuminaGuard,
  request: TaskRequest,
  face: TaskFace,
  signal?: AbortSignal,
): Promise<TaskResult> {
  requireApproved(request);
  const preparing = prepareExchange(request, signal);
  preparing.catch(() => undefined); // awaited after the machine is there
  await using machine = await spawn(lumina, request, face, signal);
  const facts = describeSpawn(machine);
  face.onSpawned?.(facts);
  const exchange = await preparing;
  const sent = await exchange?.send(machine, signal);
  if (sent !== undefined) face.onWorkspace?.(sent);
  const end = await runCommand(machine, request, face, signal);
  face.onEnded?.();
  // a machine that ignored its limit is not asked for anything more
  const isLost = end.timedOut && end.failure !== undefined;
  const command = resolveCommand(machine.container, request).join(" ");
  const desk = { store: lumina.changes.store, command };
  const received = isLost ? undefined : await exchange?.receive(machine, desk, signal);
  await machine.stop();
  face.onDestroyed?.(end);
  const { set, refused } = received ?? nothingReceived;
  return { ...end, spawn: facts, changeSet: set, refused };
}

/** A card was approved for one command, word for word. */
function requireApproved({ argv, networkCard }: TaskRequest): void {
  if (networkCard === undefined || isDeepStrictEqual(argv, networkCard.argv)) return;
  const message = "the network card was approved for another command";
  throw new LuminaGuardError("APPROVAL_DENIED", message);
}

async function prepareExchange(
  { workspace }: TaskRequest,
  signal?: AbortSignal,
): Promise<WorkspaceExchange | undefined> {
  if (workspace === undefined) return undefined;
  const { WorkspaceExchange } = await import("./workspace-exchange.ts");
  return WorkspaceExchange.prepare(workspace, signal);
}

function spawn(
  lumina: LuminaGuard,
  { image, memoryMib, vcpus, env, hypervisor, rosetta, networkCard }: TaskRequest,
  { onPhase, onFrozen }: TaskFace,
  signal?: AbortSignal,
): Promise<Machine> {
  return lumina.spawn({
    ...{ image, memoryMib, vcpus, env, hypervisor, rosetta, networkCard },
    ...{ onPhase, onFrozen, signal },
  });
}

function describeSpawn({ id, kind, spawnTimeMs, facts }: Machine): SpawnFacts {
  const { backend, accelerator, nic, canaries } = facts;
  const failed = canaries.find(({ tried, booted }) => tried && !booted);
  const reason = failed && `no usable ${failed.accelerator.toUpperCase()}: ${failed.reason}`;
  const hasNetwork = nic !== "none";
  return {
    machine: id,
    kind,
    ms: Math.round(spawnTimeMs),
    backend,
    accelerator,
    hasNetwork,
    reason,
  };
}

/**
 * As container tools have it: the entrypoint, then the command, in whose place the image's own stands
 * where none is given. Raises USAGE where that is nothing at all.
 */
export function resolveCommand(
  container: ContainerConfig | undefined,
  { argv, entrypoint = true }: Pick<TaskRequest, "argv" | "entrypoint">,
): readonly string[] {
  const before = entrypoint ? (container?.entrypoint ?? []) : [];
  const command = [...before, ...(argv.length > 0 ? argv : (container?.cmd ?? []))];
  if (command.length > 0) return command;
  throw new LuminaGuardError("USAGE", "which command should run?", {
    hint: "put it after --, as in: luminaguard run -- ls -l",
  });
}

/** What a command is, wherever it runs. */
export type CommandRequest = Pick<
  TaskRequest,
  "argv" | "entrypoint" | "workdir" | "workspace" | "timeoutMs" | "tty" | "stdin" | "env"
>;

/** Runs the command to its end. A command that cannot be started has a code, as in a shell. */
export async function runCommand(
  machine: Pick<Machine, "exec" | "container">,
  request: CommandRequest,
  face: Pick<TaskFace, "onStarted" | "onOutput">,
  signal?: AbortSignal,
): Promise<TaskEnd> {
  const { workdir, workspace, timeoutMs, tty, stdin, env } = request;
  const { container } = machine;
  const startedAt = performance.now();
  const command = machine.exec(resolveCommand(container, request), {
    cwd: workdir ?? (workspace === undefined ? container?.workdir : undefined),
    env,
    timeoutMs,
    tty,
    stdin: stdin === true ? true : undefined,
    signal,
  });
  face.onStarted?.(command);
  try {
    for await (const chunk of command.output) await face.onOutput(chunk);
    return { ...(await command.exit), failure: undefined };
  } catch (error) {
    const durationMs = performance.now() - startedAt;
    const timedOut = isLuminaGuardError(error, "TIMEOUT") && durationMs >= (timeoutMs || Infinity);
    const exitCode = timedOut ? 124 : startFailureCode(error);
    if (exitCode === undefined) throw error;
    return { exitCode, timedOut, durationMs, failure: messageOf(error) };
  }
}

/** 127 and 126 are results of the command, as in a shell; everything else is a failure of ours. */
function startFailureCode(error: unknown): number | undefined {
  if (isLuminaGuardError(error, "EXEC_NOT_FOUND")) return 127;
  if (isLuminaGuardError(error, "EXEC_NOT_EXECUTABLE")) return 126;
  return undefined;
}
