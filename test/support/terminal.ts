/** The real program in a real terminal: a tmux session of its own, with keys to press and a screen to read. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { programPath } from "./cli.ts";
import type { CliHome } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { areGone, listSession } from "./host-process.ts";

/** Its end waits for the programs in it: they may still write where they keep things. */
export interface Terminal extends AsyncDisposable {
  /** Resolves when the text stands on the screen; gives the screen. */
  readonly sees: (text: string | RegExp) => Promise<string>;
  readonly screen: (options?: { readonly colours?: boolean }) => string;
  readonly title: () => string;
  /** what programs in the terminal put on its clipboard */
  readonly clipboard: () => string;
  /** tmux's names of keys, such as "a", "C-c", "Enter" */
  readonly press: (...keys: string[]) => void;
  /** Presses a key until what it leads to stands on the screen: before a card was read it is not heard. */
  readonly answers: (key: string, text: string | RegExp) => Promise<string>;
  /** Types bytes at once, as a terminal does that answers a program's question. */
  readonly types: (bytes: string) => void;
  /** Gives the window another size, as a person drags its corner. */
  readonly resize: (columns: number, rows: number) => void;
  /** Closes the terminal, as a person closes its window. */
  readonly close: () => void;
}

export interface TerminalOptions {
  /** a program that runs the program @default none */
  readonly through?: readonly string[];
  /** a file as the program's stdin @default the terminal */
  readonly input?: string;
}

/** Runs the program with a shell that prints its exit code after it, as `exit code N`. */
export function openTerminal(
  home: CliHome,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { through = [], input }: TerminalOptions = {},
): Terminal {
  const socket = `lg-test-${randomBytes(6).toString("hex")}`;
  const tmux = (...words: string[]): string => {
    return execFileSync("tmux", ["-L", socket, ...words], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  };
  const variables = {
    LUMINAGUARD_RUNTIME_DIR: home.runtimeDir,
    LUMINAGUARD_STATE_DIR: home.stateDir,
    LUMINAGUARD_CONFIG_DIR: home.configDir,
    ...env,
  };
  const words = [...through, process.execPath, programPath, ...args].map(quote).join(" ");
  const command = input === undefined ? words : `${words} <${quote(input)}`;
  // the shell survives the Ctrl-C that is meant for the program
  const script = `trap : INT; ${command}; echo "exit code $?"; while :; do sleep 600; done`;
  tmux(
    ...["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "40", "-c", home.project],
    ...Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
    ...["sh", "-c", script],
  );
  const shell = Number(tmux("display-message", "-p", "#{pane_pid}"));
  const screen: Terminal["screen"] = ({ colours = false } = {}) => {
    return tmux("capture-pane", "-p", ...(colours ? ["-e"] : []));
  };
  const find = (text: string | RegExp): string | false => {
    const shown = screen();
    return (typeof text === "string" ? shown.includes(text) : text.test(shown)) && shown;
  };
  const close = (): void => {
    try {
      tmux("kill-server");
    } catch {
      return; // closed already
    }
  };
  return {
    screen,
    title: () => tmux("display-message", "-p", "#{pane_title}"),
    clipboard: () => tmux("list-buffers"),
    press: (...keys) => void tmux("send-keys", ...keys),
    types: (bytes) =>
      void tmux("send-keys", "-H", ...Buffer.from(bytes).toString("hex").match(/../g)!),
    sees: (text) => eventually(`${String(text)} on the screen`, () => find(text), 30_000),
    answers: (key, text) =>
      eventually(
        `${String(text)} on the screen after ${key}`,
        () => {
          tmux("send-keys", key);
          return eventually("it", () => find(text), 700).catch(() => false as const);
        },
        30_000,
      ),
    resize: (columns, rows) =>
      void tmux("resize-window", "-x", String(columns), "-y", String(rows)),
    close,
    [Symbol.asyncDispose]: async () => {
      const programs = await listSession(shell);
      close();
      await areGone(programs, 30_000);
    },
  };
}

export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
