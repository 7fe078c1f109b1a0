/** What a command sees of the terminal: streams, their kind, and the settings that follow from it. */
import type { Writable } from "node:stream";
import type { ReadStream, WriteStream } from "node:tty";
import { openKeyboard } from "../tui/keys.ts";
import type { Keyboard } from "../tui/keys.ts";
import { createStyle } from "../tui/style.ts";
import type { Style } from "../tui/style.ts";
import type { TerminalProgram } from "../runtime/cliff/edit-call.ts";

export interface CliIo {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  /** for what is written to stderr */
  readonly style: Style;
  readonly columns: number;
  /** a person may be watching stderr */
  readonly isInteractive: boolean;
  /** The keys of the controlling terminal, or `undefined` where no person can be asked. */
  readonly openKeyboard: () => Keyboard | undefined;
  /** NO_COLOR is set, or the terminal is dumb: nothing is drawn over */
  readonly plain: boolean;
  /** the person's own */
  readonly pager: TerminalProgram | undefined;
  /** the person's own */
  readonly editor: TerminalProgram;
  /** aborted when the program is to end without waiting for whoever reads its output */
  readonly hurry: AbortController;
}

export interface IoSettings {
  /** NO_COLOR is set, or the terminal is dumb */
  readonly plain: boolean;
  readonly pager: TerminalProgram | undefined;
  readonly editor: TerminalProgram;
}

export function createIo({ plain, pager, editor }: IoSettings): CliIo {
  const { stdin, stdout, stderr } = process;
  // whoever reads our output may leave before we are done
  for (const stream of [stdout, stderr]) stream.on("error", () => undefined);
  return {
    stdin,
    stdout,
    stderr,
    style: createStyle(stderr.isTTY && !plain),
    columns: Math.max(40, stderr.isTTY ? stderr.columns : 80),
    isInteractive: stderr.isTTY,
    openKeyboard: () => (stderr.isTTY ? openKeyboard() : undefined),
    plain,
    pager,
    editor,
    hurry: new AbortController(),
  };
}

/** Writes and waits while the reader is behind. */
export function write(stream: Writable, data: Uint8Array | string): Promise<void> | void {
  if (stream.destroyed || stream.write(data)) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done).off("close", done).off("error", done);
      resolve();
    };
    stream.on("drain", done).on("close", done).on("error", done);
  });
}

/** Resolves when what was written is out: a pipe takes it later. */
export async function flush({ stdout, stderr, hurry }: CliIo): Promise<void> {
  const streams = hurry.signal.aborted ? [] : [stdout, stderr];
  await Promise.all(
    streams.map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve()))),
  );
}

export function say(io: CliIo, line: string): void {
  io.stderr.write(`${line}\n`);
}

/** One JSON document, which is all of stdout. */
export function printJson(io: CliIo, document: unknown): void {
  io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
}
