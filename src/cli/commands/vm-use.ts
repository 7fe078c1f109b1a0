/** `luminaguard vm exec`, `shell` and `cp`: a machine that outlives this command, used by it. */
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { copyIn, copyOut, parsePlace } from "../../runtime/kept/copy-files.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { runCommand } from "../../runtime/run-task.ts";
import type { CommandRequest, TaskEnd } from "../../runtime/run-task.ts";
import { renderWorkspaceLine } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say, write } from "../io.ts";
import type { CliIo } from "../io.ts";
import { watchSignals } from "../signals.ts";
import { createCollectingFace } from "../task-json.ts";
import type { Collected } from "../task-json.ts";
import { createTerminalFace } from "../task-terminal.ts";
import { parseVariables } from "./run.ts";

interface ExecOptions {
  readonly env?: readonly string[];
  readonly timeout?: number;
  readonly workdir?: string;
  readonly tty?: boolean;
  readonly json?: boolean;
}

export async function vmExec(
  io: CliIo,
  word: string,
  argv: readonly string[],
  options: ExecOptions,
): Promise<number> {
  if (argv.length === 0) {
    throw new LuminaGuardError("USAGE", "which command should run?", {
      hint: `put it after --, as in: luminaguard vm exec ${word} -- ls -l`,
    });
  }
  const { tty = false, json = false } = options;
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  using machine = await lumina.kept.attach(await lumina.kept.find(word), signals);
  const collected = json ? createCollectingFace() : undefined;
  using terminal = createTerminalFace(io, { tty, signals });
  const face = collected?.face ?? terminal.face;
  let end: TaskEnd;
  try {
    end = await runCommand(machine, describeCommand(io, argv, options), face, signals.signal);
  } catch (error) {
    if (signals.exitCode !== undefined) return signals.exitCode;
    throw error;
  }
  tellEnd(io, machine.name, end, collected);
  return end.exitCode;
}

function describeCommand(
  io: CliIo,
  argv: readonly string[],
  { env = [], timeout = 0, workdir, tty = false, json = false }: ExecOptions,
): CommandRequest {
  return {
    argv,
    workdir,
    env: parseVariables(env),
    timeoutMs: timeout * 1000,
    tty: tty ? sizeOf(io) : undefined,
    stdin: !json && (tty || !io.stdin.isTTY),
  };
}

function tellEnd(
  io: CliIo,
  name: string,
  { exitCode, timedOut, durationMs, failure }: TaskEnd,
  collected: Collected | undefined,
): void {
  if (collected !== undefined) {
    printJson(io, {
      ...{ machine: name, exitCode, timedOut, failure: failure ?? null },
      durationMs: Math.round(durationMs),
      ...{ stdout: collected.text("stdout"), stderr: collected.text("stderr") },
      outputCutBytes: collected.cut(),
    });
  } else if (failure !== undefined) {
    say(io, `${io.style.red("luminaguard:")} ${escapeText(failure)}`);
  }
}

export function vmShell(
  io: CliIo,
  word: string,
  { workdir }: { readonly workdir?: string },
): Promise<number> {
  return vmExec(io, word, ["sh", "-l"], { tty: true, ...(workdir !== undefined && { workdir }) });
}

function sizeOf({ stdout }: CliIo): { readonly columns: number; readonly rows: number } {
  return stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows } : { columns: 80, rows: 24 };
}

export async function vmCp(io: CliIo, from: string, to: string): Promise<number> {
  const [source, target] = [parsePlace(from), parsePlace(to)];
  if ((source.machine === undefined) === (target.machine === undefined)) {
    throw new LuminaGuardError("USAGE", "one of the two has to be in a machine, and one here", {
      hint: "luminaguard vm cp notes.txt MACHINE:/workspace/notes.txt",
    });
  }
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const word = source.machine ?? target.machine ?? "";
  using machine = await lumina.kept.attach(await lumina.kept.find(word), signals);
  if (target.machine !== undefined) {
    const sent = await copyIn(machine, source.path, target.path, signals);
    say(io, `copied    ${renderWorkspaceLine(sent, { width: io.columns * 2 })}`);
  } else if (target.path === "-") {
    await write(io.stdout, await machine.files.read(source.path, signals));
  } else {
    const bytes = await copyOut(machine, source.path, target.path, signals);
    say(io, `copied    ${bytes} bytes to ${escapeText(target.path)}`);
  }
  return exitCodes.done;
}
