/** A terminal, or a pipe, that remembers what was written to it. */
import { PassThrough } from "node:stream";
import type { CliIo } from "../../src/cli/io.ts";
import type { Keyboard } from "../../src/tui/keys.ts";
import { createStyle } from "../../src/tui/style.ts";

export interface FakeIo {
  readonly io: CliIo;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export interface FakeIoOptions {
  /** streams are a terminal
   * @default false */
  readonly terminal?: boolean;
  readonly columns?: number;
  /** of the person in front of it @default nobody */
  readonly keyboard?: Keyboard;
  /** of the person @default one that fails */
  readonly editor?: string;
}

export function createFakeIo({
  terminal = false,
  columns = 80,
  keyboard,
  editor = "false",
}: FakeIoOptions = {}): FakeIo {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr"): PassThrough => {
    const stream = new PassThrough();
    stream.on("data", (chunk: Buffer) => (texts[name] += chunk.toString("utf8")));
    return Object.assign(stream, { isTTY: terminal, columns, rows: 24 });
  };
  const io = {
    stdin: Object.assign(new PassThrough(), { isTTY: terminal }),
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    style: createStyle(false),
    columns,
    isInteractive: terminal,
    openKeyboard: () => keyboard,
    plain: true,
    pager: undefined,
    editor: { command: editor, environment: { PATH: process.env["PATH"] ?? "" } },
  } as unknown as CliIo;
  return { io, stdout: () => texts.stdout, stderr: () => texts.stderr };
}
