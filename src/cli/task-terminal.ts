/** A task as a person at a terminal sees it, or a pipe gets it. */
import { Socket } from "node:net";
import { escapeText } from "../base/escape-text.ts";
import { ColourOnlyFilter } from "../tui/colour-only.ts";
import type { ExecHandle } from "../runtime/exec-handle.ts";
import type { SpawnFacts, TaskEnd, TaskFace } from "../runtime/run-task.ts";
import { renderWorkspaceLine } from "../runtime/values.ts";
import { say, write } from "./io.ts";
import type { CliIo } from "./io.ts";
import { createProgress } from "./progress.ts";
import type { Signals } from "./signals.ts";

const indent = "  machine   ";

export interface TerminalFace extends Disposable {
  readonly face: TaskFace;
  /** gives the keyboard back; what is typed from now on is not the command's */
  readonly release: () => void;
}

export interface TerminalFaceOptions {
  /** the command has a terminal of its own: its output is not filtered */
  readonly tty: boolean;
  readonly signals: Signals;
}

export function createTerminalFace(io: CliIo, { tty, signals }: TerminalFaceOptions): TerminalFace {
  const progress = createProgress(io);
  const release: (() => void)[] = [];
  const giveBack = (): void => {
    for (const step of release.splice(0)) step();
  };
  const filters = { stdout: filterFor(io, "stdout", tty), stderr: filterFor(io, "stderr", tty) };
  /** hands Ctrl-C to the command, once there is one */
  let passInterrupts = (): void => undefined;
  const face: TaskFace = {
    onPhase: progress.show,
    onSpawned: (facts) => {
      progress.clear();
      const network = facts.hasNetwork ? io.style.red("NETWORK CARD") : "no network";
      say(io, `${indent}${describeMachine(facts, io.columns)} · ${network}`);
    },
    onWorkspace: (facts) =>
      say(io, `  workspace ${renderWorkspaceLine(facts, { width: io.columns * 2 })}`),
    onStarted: (command) => {
      passInterrupts = () => signals.onInterrupt(() => void command.signal(2));
      passInterrupts();
      release.push(() => (passInterrupts = () => undefined));
      release.push(() => signals.onInterrupt(undefined));
      if (tty) release.push(connectTerminal(io, command));
      else if (!io.stdin.isTTY) release.push(connectPipe(io, command));
    },
    onOutput: ({ source, data }) => write(io[source], filters[source](data)),
    onFrozen: (isFrozen, machine) => {
      progress.clear();
      say(io, isFrozen ? describeFreeze(machine) : `  resumed   machine ${machine} goes on`);
      // a frozen command cannot end in its own way: the first Ctrl-C ends the machine
      if (isFrozen) signals.onInterrupt(undefined);
      else passInterrupts();
    },
    onEnded: giveBack,
    onDestroyed: (end) => {
      say(io, `  done      ${describeEnd(end)} · machine destroyed`);
    },
  };
  return {
    face,
    release: giveBack,
    [Symbol.dispose]: () => {
      progress.clear();
      giveBack();
    },
  };
}

/** A file or a pipe gets the bytes as they are; a terminal gets text and colours. */
function filterFor(io: CliIo, name: "stdout" | "stderr", tty: boolean): (data: Buffer) => Buffer {
  if (tty || !io[name].isTTY) return (data) => data;
  const filter = new ColourOnlyFilter();
  return (data) => filter.push(data);
}

function connectTerminal(io: CliIo, command: ExecHandle): () => void {
  const { stdin, stdout } = io;
  if (stdin.isTTY) stdin.setRawMode(true);
  const onResize = (): void => void command.resize({ columns: stdout.columns, rows: stdout.rows });
  stdout.on("resize", onResize);
  const disconnect = connectPipe(io, command);
  return () => {
    stdout.off("resize", onResize);
    disconnect();
    if (stdin.isTTY) stdin.setRawMode(false);
  };
}

/** Bytes from stdin to the command; the next are read when these were taken. */
function connectPipe({ stdin }: CliIo, command: ExecHandle): () => void {
  const onData = (data: Buffer): void => {
    stdin.pause();
    void command.write(data).then(() => {
      // what comes after the command's end is not read only to be dropped
      if (!command.isOver) stdin.resume();
    });
  };
  const onEnd = (): void => void command.endStdin();
  stdin.on("data", onData).on("end", onEnd).on("error", onEnd);
  return () => {
    stdin.off("data", onData).off("end", onEnd).off("error", onEnd);
    stdin.pause();
    // a pipe that stays open must not keep this process; a file has nothing to hold it with
    if (stdin instanceof Socket) stdin.unref();
  };
}

function describeMachine(facts: SpawnFacts, columns: number): string {
  const { kind, ms, backend, accelerator, reason } = facts;
  const how = `${kind === "clone" ? "cloned" : "booted"} in ${seconds(ms)} · ${backend}/${accelerator}`;
  const line = `${how}${reason === undefined ? "" : ` (${escapeText(reason)})`}`;
  const rest = indent.length + " · no network".length + (facts.hasNetwork ? 2 : 0);
  return line.length + rest <= columns ? line : `${how} (see luminaguard doctor)`;
}

function describeFreeze(machine: string): string {
  const ways = `luminaguard resume ${machine} goes on, luminaguard rm ${machine} ends it`;
  return `  frozen    machine ${machine} was stopped by luminaguard freeze; ${ways}`;
}

function describeEnd({ exitCode, timedOut, durationMs }: TaskEnd): string {
  return `${timedOut ? "timed out" : `exit ${exitCode}`} in ${seconds(durationMs)}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(1)} s`;
}
