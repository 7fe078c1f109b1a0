/** `luminaguard run`: everything above the rule goes to stderr, the command's own output to stdout. */
import { escapeText } from "../../base/escape-text.ts";
import { loadVariable } from "../../config/io-settings.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import type { NetworkCardWish } from "../../runtime/network-card.ts";
import { resolveCommand, runTask } from "../../runtime/run-task.ts";
import { createRunId } from "../../runtime/cliff/write-back.ts";
import type { TaskFace, TaskRequest, TaskResult } from "../../runtime/run-task.ts";
import { askForNetworkCard } from "../ask-for-network-card.ts";
import { parseApplyWord } from "../apply-word.ts";
import type { ApplyWord } from "../apply-word.ts";
import { exitCodes } from "../exit-codes.ts";
import { say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createCollectingFace, printTaskJson } from "../task-json.ts";
import { createTerminalFace } from "../task-terminal.ts";
import { watchSignals } from "../signals.ts";
import type { Decision } from "../decide-changes.ts";

/** Options as the command line gives them. */
export interface RunOptions {
  readonly image?: string;
  readonly memory?: number;
  readonly cpus?: number;
  readonly hypervisor?: string;
  readonly env?: readonly string[];
  readonly timeout?: number;
  readonly workdir?: string;
  readonly include?: readonly string[];
  readonly workspace?: boolean;
  /** false leaves the image's entrypoint out */
  readonly entrypoint?: boolean;
  readonly tty?: boolean;
  readonly nic?: string;
  readonly rosetta?: boolean;
  readonly apply?: string;
  readonly json?: boolean;
}

export async function run(
  io: CliIo,
  argv: readonly string[],
  options: RunOptions,
): Promise<number> {
  const apply = parseApplyWord(options.apply ?? "ask");
  await using lumina = await createLuminaGuard();
  const runId = createRunId();
  using signals = watchSignals(io);
  const { signal } = signals;
  if (argv.length === 0) await checkOwnCommand(lumina, options, signal);
  const request = await describeRequest(lumina, argv, options, io);
  const collected = options.json === true ? createCollectingFace() : undefined;
  using terminal = createTerminalFace(io, { tty: options.tty === true, signals });
  const face: TaskFace = collected?.face ?? terminal.face;
  let result: TaskResult;
  try {
    const networkCard = await askForNetworkCard(io, lumina, {
      ...{ word: options.nic, quiet: collected !== undefined, signal },
      wish: describeCardWish(runId, request, lumina),
    });
    result = await runTask(lumina, { ...request, networkCard }, face, signal);
  } catch (error) {
    if (signals.exitCode !== undefined) return signals.exitCode;
    throw error;
  }
  terminal.release();
  if (result.failure !== undefined) await sayFailure(io, lumina, result, argv, options);
  const decision = await decide(io, lumina, { run: runId, result, apply, options }, signal);
  if (collected !== undefined) {
    printTaskJson(io, result, decision, await lumina.approvals.countPrompts(runId), collected);
  }
  if (signals.exitCode !== undefined) return signals.exitCode;
  return result.exitCode === 0 ? decision.exitCode : result.exitCode;
}

/** USAGE, before a machine is made, where neither the person nor the image says what to run. */
async function checkOwnCommand(
  lumina: LuminaGuard,
  { image = lumina.config.image, entrypoint }: RunOptions,
  signal: AbortSignal,
): Promise<void> {
  const container = await lumina.host.describeContainer(image, { signal });
  resolveCommand(container, { argv: [], entrypoint });
}

async function describeRequest(
  lumina: LuminaGuard,
  argv: readonly string[],
  options: RunOptions,
  io: CliIo,
): Promise<TaskRequest> {
  const { image, memory, cpus, hypervisor, workdir, include = [], tty, entrypoint } = options;
  const sends = options.workspace !== false;
  const timeoutMs = (options.timeout ?? 0) * 1000;
  const size = {
    columns: io.stdout.isTTY ? io.stdout.columns : 80,
    rows: io.stdout.isTTY ? io.stdout.rows : 24,
  };
  return {
    argv,
    entrypoint,
    image,
    memoryMib: memory,
    vcpus: cpus,
    hypervisor,
    rosetta: options.rosetta,
    env: parseVariables(options.env ?? []),
    workdir,
    timeoutMs,
    tty: tty === true ? size : undefined,
    stdin: options.json !== true && (tty === true || !io.stdin.isTTY),
    workspace: sends ? { root: await lumina.resolveWorkspace(process.cwd()), include } : undefined,
  };
}

function describeCardWish(
  run: string,
  { argv, image, workspace }: TaskRequest,
  { config }: LuminaGuard,
): NetworkCardWish {
  return { run, argv, image: image ?? config.image, workspace: workspace?.root ?? null };
}

/** `K=V` as it stands; `K` alone takes the value this process has. */
export function parseVariables(texts: readonly string[]): Readonly<Record<string, string>> {
  const pairs = texts.map((text): [string, string] => {
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? loadVariable(name) : text.slice(at + 1);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new LuminaGuardError("USAGE", `--env ${text}: "${name}" is not a variable's name`);
    }
    if (value === undefined) {
      throw new LuminaGuardError("USAGE", `--env ${name}: there is no such variable here`, {
        hint: `give its value: --env ${name}=…`,
      });
    }
    return [name, value];
  });
  return Object.fromEntries(pairs);
}

interface Finished {
  /** id of the run */
  readonly run: string;
  readonly result: TaskResult;
  readonly apply: ApplyWord;
  readonly options: RunOptions;
}

async function decide(
  io: CliIo,
  lumina: LuminaGuard,
  { run, result, apply, options }: Finished,
  signal: AbortSignal,
): Promise<Decision> {
  if (result.changeSet === undefined) {
    if (options.json !== true && options.workspace !== false) sayUnchanged(io, result);
    return { exitCode: exitCodes.done, applied: [], changeSet: undefined };
  }
  const { decideChanges } = await import("../decide-changes.ts");
  const quiet = options.json === true;
  const { exitCode, timedOut, spawn } = result;
  const origin = { run, machine: spawn.machine, exitCode, timedOut };
  return decideChanges(io, lumina, result.changeSet, { apply, origin, quiet, signal });
}

/** most refusals that are told one by one */
const refusalsMax = 5;

function sayUnchanged(io: CliIo, { refused }: TaskResult): void {
  say(io, io.style.dim("  no files changed"));
  for (const { path, reason } of refused.slice(0, refusalsMax)) {
    say(io, `  refused   ${escapeText(path)}: ${reason}`);
  }
  if (refused.length > refusalsMax) say(io, `  … and ${refused.length - refusalsMax} more`);
}

async function sayFailure(
  io: CliIo,
  lumina: LuminaGuard,
  { exitCode, failure = "" }: TaskResult,
  [command = ""]: readonly string[],
  options: RunOptions,
): Promise<void> {
  if (options.json === true) return;
  say(io, `${io.style.red("luminaguard:")} ${escapeText(failure)}`);
  if (exitCode !== exitCodes.notFound) return;
  const hint = await lumina.hintForCommand(command, options.image);
  if (hint !== undefined) say(io, `  ${hint}`);
}
