/** `luminaguard vm start`, `ls`, `stop`, `restart`, `rm` and `logs`. */
import { escapeText } from "../../base/escape-text.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { renderWorkspaceLine } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { createProgress } from "../progress.ts";
import { watchSignals } from "../signals.ts";
import { keptJson, renderEvent, renderKept, renderStarted } from "../vm-text.ts";
import { parseVariables } from "./run.ts";

interface JsonOption {
  readonly json?: boolean;
}

interface StartOptions extends JsonOption {
  readonly name?: string;
  readonly image?: string;
  readonly memory?: number;
  readonly cpus?: number;
  readonly env?: readonly string[];
  readonly workspace?: string;
  readonly include?: readonly string[];
}

export async function vmStart(io: CliIo, options: StartOptions): Promise<number> {
  const { name, image, memory, cpus, env = [], workspace, include = [], json } = options;
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const { signal } = signals;
  const progress = createProgress(io);
  const root =
    workspace === undefined ? undefined : await lumina.resolveWorkspace(workspace, signal);
  const started = await lumina.kept
    .start(
      {
        ...{ name, image, memoryMib: memory, vcpus: cpus, env: parseVariables(env) },
        workspace: root === undefined ? null : { root, include },
      },
      { signal, onPhase: progress.show },
    )
    .finally(progress.clear);
  const { kept, how, ms, sent } = started;
  if (json === true) {
    printJson(io, { ...keptJson(kept), spawn: { how, ms: Math.round(ms) } });
    return exitCodes.done;
  }
  say(io, `started   ${kept.record.name} (${kept.record.id}) ${renderStarted(started)}`);
  if (sent !== undefined) {
    say(io, `workspace ${renderWorkspaceLine(sent, { width: io.columns * 2 })}`);
  }
  io.stdout.write(`${kept.record.name}\n`);
  return exitCodes.done;
}

export async function vmLs(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const all = await lumina.kept.list();
  if (json === true) printJson(io, all.map(keptJson));
  else if (all.length === 0) say(io, "no machine is kept");
  for (const kept of json === true ? [] : all) {
    io.stdout.write(`${renderKept(kept, io.stdout.isTTY ? io.columns : undefined)}\n`);
  }
  return exitCodes.done;
}

export async function vmStop(
  io: CliIo,
  words: readonly string[],
  { json }: JsonOption,
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const all = await Promise.all(words.map((word) => lumina.kept.find(word)));
  for (const kept of all) {
    await lumina.kept.stop(kept);
    if (json !== true) say(io, `stopped   ${kept.record.name}`);
  }
  if (json === true) printJson(io, { stopped: all.map(({ record }) => record.name) });
  return exitCodes.done;
}

export async function vmRestart(io: CliIo, word: string, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const progress = createProgress(io);
  const kept = await lumina.kept.find(word);
  await lumina.kept.stop(kept);
  const started = await lumina.kept
    .restart(await lumina.kept.find(kept.record.name), {
      signal: signals.signal,
      onPhase: progress.show,
    })
    .finally(progress.clear);
  if (json === true) printJson(io, keptJson(started.kept));
  else say(io, `started   ${kept.record.name} ${renderStarted(started)}`);
  return exitCodes.done;
}

export async function vmRm(
  io: CliIo,
  words: readonly string[],
  { json }: JsonOption,
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const all = await Promise.all(words.map((word) => lumina.kept.find(word)));
  for (const kept of all) {
    await lumina.kept.remove(kept);
    if (json !== true) say(io, `removed   ${kept.record.name}`);
  }
  if (json === true) printJson(io, { removed: all.map(({ record }) => record.name) });
  return exitCodes.done;
}

export async function vmLogs(io: CliIo, word: string, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const { events, console } = await lumina.kept.logs(await lumina.kept.find(word));
  if (json === true) {
    printJson(io, { events, console });
    return exitCodes.done;
  }
  for (const event of events) io.stdout.write(`${renderEvent(event)}\n`);
  for (const line of console.split("\n").filter((each) => each.trim() !== "")) {
    io.stdout.write(`console  ${escapeText(line.trimEnd())}\n`);
  }
  return exitCodes.done;
}
