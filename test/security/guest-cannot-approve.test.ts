/**
 * What runs in a machine cannot say yes for the person (A4): not by what it prints, not by what a terminal
 * answers to that, not by hiding the card, and there is nothing to call. Prior art: CVE-2026-28466 and
 * CVE-2026-22172, where the caller approved itself; CVE-2025-54795, where printed words were taken for more.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findByArgument } from "../../src/process/process-identity.ts";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { listDescriptors } from "../support/host-process.ts";
import { readTree } from "../support/make-tree.ts";
import { takesKeys } from "../support/takes-keys.ts";
import { openTerminal } from "../support/terminal.ts";
import type { Terminal, TerminalOptions } from "../support/terminal.ts";

const before = { "a.txt": "old\n" };

/** keys of the card, and questions that a terminal answers by typing into the program's input */
const asTyped = "a\\r\\ny\\r\\nyes\\r\\napprove\\r\\n";
const questions = [
  ...["\\033[c", "\\033[>c", "\\033[=c", "\\033[5n", "\\033[6n", "\\033[?6n", "\\033[18t"],
  ...["\\033]0;a\\007\\033[21t", "\\033[?2004h", "\\033[?1000h\\033[?1004h", "\\033[?2026$p"],
  ...["\\033]10;?\\007", "\\033]11;?\\007", "\\033]52;c;?\\007", "\\033P$qm\\033\\\\", "\\005"],
].join("");
const pasted = "\\033[200~a\\r\\033[201~";
const flood = `i=0; while [ $i -lt 400 ]; do printf '${asTyped}${questions}${pasted}'; i=$((i+1)); done`;

/** Types its title where a program asks for it, when the card stands there: a terminal to be afraid of. */
const fixture = join(import.meta.dirname, "../fixtures/answering-terminal.py");
const answering = ["python3", fixture, "../answered"];
const hasAnswered = (): boolean => existsSync(join(home.project, "../answered"));

/** Both ends of the pipe are in the one terminal; what its exit code was is said beside it. */
const pipedTo = (reader: string): readonly string[] => {
  return ["sh", "-c", `{ "$@"; echo "exit code $?" >&2; } | ${reader}`, "sh"];
};

let home: CliHome;
let terminal: Terminal | undefined;
beforeEach(async () => {
  home = await createCliHome();
  writeFileSync(join(home.project, "a.txt"), "old\n");
});
afterEach(async () => {
  await terminal?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/** The command in a terminal, up to its card. */
async function openCard(
  script: string,
  options: TerminalOptions & { readonly words?: readonly string[] } = {},
): Promise<Terminal> {
  const { words = [], ...rest } = options;
  const args = ["run", "--env", `MARK=${home.project}`, ...words, "--", "sh", "-c", script];
  terminal = openTerminal(home, args, {}, rest);
  await terminal.sees("[r] reject");
  return terminal;
}

/** Whatever was typed before is read before these keys: the card is still open, and its answer is no. */
async function isUnanswered(card: Terminal): Promise<void> {
  await card.answers("?", "write nothing; the changes are kept");
  await card.answers("x", "[r] reject");
  await card.answers("q", "exit code 11");
  expect(readTree(home.project)).toEqual(before);
}

describe("a command that prints what a person would type, and what makes a terminal type", () => {
  it("answers nothing on a terminal: no question of it gets that far", async () => {
    const card = await openCard(`echo new > a.txt; ${flood}`, { through: answering });
    await isUnanswered(card);
    expect(hasAnswered()).toBe(false);
  });

  it.each([
    ["on a terminal of its own", { words: ["--tty"], through: answering }],
    ["through a pipe", { through: [...answering, ...pipedTo("cat")] }],
  ])("answers nothing %s, though the terminal answers it", async (_where, options) => {
    const card = await openCard(`echo new > a.txt; ${flood}`, options);
    expect(hasAnswered()).toBe(true);
    await isUnanswered(card);
  });

  it("answers nothing when its output comes while the card stands there", async () => {
    // whoever reads the pipe lets the command's output through when the card is drawn
    const held = "while ! test -e ../go; do sleep 0.05; done; cat";
    const through = [...answering, ...pipedTo(`{ ${held}; }`)];
    const few = flood.replace("400", "40");
    const card = await openCard(`echo new > a.txt; ${few}`, { through });
    await takesKeys(card);
    writeFileSync(join(home.project, "../go"), "");
    await eventually("the terminal answers", hasAnswered);
    await isUnanswered(card);
  });
});

describe("a terminal that answers more than it should", () => {
  it.each([
    ["its title", "\u001b]la\u001b\\"],
    ["a colour", "\u001b]11;rgb:aaaa/aaaa/aaaa\u0007"],
    ["a setting", "\u001bP1$ra\u001b\\"],
    ["where the cursor is, with a key behind", "\u001b[1;1Ra"],
    ["a paste", "\u001b[200~a\u001b[201~"],
    ["a focus, with a key between", "\u001b[Ia\u001b[O"],
  ])("answers nothing of the card with %s", async (_what, report) => {
    const card = await openCard("echo new > a.txt");
    await card.answers("?", "write nothing; the changes are kept");
    await card.answers("x", "[r] reject");
    card.types(report);
    await isUnanswered(card);
  });
});

describe("a command that hides the card", () => {
  it.each([
    ["below a flood, on a terminal", {}],
    ["in modes of its own terminal", { words: ["--tty"] }],
  ])("shows it all the same: %s", async (_how, options) => {
    // another screen, hidden and black text, a scroll region, a moved origin, no wrap, line drawing
    const hide =
      "\\033[?1049h\\033[8m\\033[30;40m\\033[1;2r\\033[?6h\\033[?7l\\033[?25l\\033(0\\033[4h";
    // put together where it runs: the command itself stands on the card
    const fake = "printf '1 file changed, all is %s: press a' well";
    const script = `echo new > a.txt; seq 1 20001; printf '${hide}'; ${fake}`;
    const card = await openCard(script, options);
    const shown = card.screen();
    expect(shown).toContain("1 file changed");
    expect(shown).toContain("a.txt");
    expect(shown).not.toContain("all is well");
    expect(shown).not.toMatch(/^20000$/m);
    // the command's own words stand on the card too, but as text: not after an escape
    const sequences = card.screen({ colours: true }).split("\u001b").slice(1);
    expect(sequences.filter((each) => /^\[[\d;]*\b(8|30|40)\b[\d;]*m/.test(each))).toEqual([]);
    await isUnanswered(card);
  });
});

describe("the cliff", () => {
  it("listens nowhere: no port, no socket, neither while a machine runs nor while a card waits", async () => {
    const script = "echo ready; read line; echo new > a.txt";
    const mark = `MARK=${home.project}`;
    const args = ["run", "--env", mark, "--tty", "--", "sh", "-c", script];
    terminal = openTerminal(home, args);
    await terminal.sees("ready");
    expect(await listeningSockets()).toEqual([]);
    await terminal.answers("Enter", "[r] reject");
    expect(await listeningSockets()).toEqual([]);
    await terminal.answers("q", "exit code 11");
  });

  it("has nothing in a machine: no ledger, no key, no program of it, no name of its folders", async () => {
    const names = ["ledger.sqlite*", "signing-key*", "luminaguard", "audit-heads*"];
    const find = `find / -xdev ${names.map((name) => `-name '${name}'`).join(" -o ")}`;
    const { stdout } = await home.run([
      ...["run", "--no-workspace", "--", "sh", "-c"],
      `${find} 2>/dev/null; env; cat /proc/mounts /proc/cmdline; ls /dev /run /tmp`,
    ]);
    const said = stdout.toString("utf8");
    expect(said).toContain("PATH=");
    expect(said).not.toMatch(/ledger\.sqlite|signing-key|audit-heads/);
    for (const folder of [home.stateDir, home.configDir, home.runtimeDir, home.project]) {
      expect(said).not.toContain(folder);
    }
    expect(said).not.toMatch(/LUMINAGUARD/);
  });
});

/** Sockets that a process of ours accepts connections on, as the kernel knows them. */
async function listeningSockets(): Promise<readonly string[]> {
  const pids = await findByArgument(`MARK=${home.project}`);
  // the terminal and its shell have the words on their command lines too
  const programs = pids.filter((pid) => {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(`${process.execPath}\0`);
  });
  expect(programs).toHaveLength(1);
  const found: string[] = [];
  for (const pid of programs) {
    const held = new Set(listDescriptors(pid).map(({ target }) => target));
    const tables = await Promise.all(
      ["unix", "tcp", "tcp6", "udp", "udp6"].map((name) => readTable(pid, name)),
    );
    for (const { line, inode } of tables.flat()) {
      if (held.has(`socket:[${inode}]`)) found.push(line);
    }
  }
  return found;
}

interface Listening {
  readonly line: string;
  readonly inode: string;
}

/** proc(5): a unix socket that accepts has the flag 00010000, a TCP one the state 0A; any UDP one counts. */
async function readTable(pid: number, name: string): Promise<readonly Listening[]> {
  const text = await readFile(`/proc/${pid}/net/${name}`, "utf8");
  const rows = text.trim().split("\n").slice(1);
  return rows.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const isUnix = name === "unix";
    const isListening = isUnix
      ? fields[3] === "00010000"
      : name.startsWith("udp") || fields[3] === "0A";
    return isListening ? [{ line, inode: (isUnix ? fields[6] : fields[9]) ?? "" }] : [];
  });
}
