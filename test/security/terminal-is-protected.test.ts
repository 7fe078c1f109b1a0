/** What a machine prints reaches a person's terminal as text and colours: nothing moves, asks or renames. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { openTerminal } from "../support/terminal.ts";

let home: CliHome;
beforeAll(async () => {
  home = await createCliHome();
});
afterAll(() => home[Symbol.asyncDispose]());

const hostile = [
  ["title", "\\033]0;owned\\007"],
  ["title with its other end", "\\033]2;owned\\033\\\\"],
  ["clipboard", "\\033]52;c;b3duZWQ=\\007"],
  ["clear", "\\033[2J\\033[H"],
  ["cursor up", "\\033[10A\\033[K"],
  ["question for an answer typed into the input", "\\033[c\\033[6n\\033[>c\\033]11;?\\007"],
  ["alternate screen", "\\033[?1049h"],
  ["reset", "\\033c"],
  ["device control", "\\033P+q544e\\033\\\\"],
  ["8-bit control", "\\302\\2332J\\302\\2350;owned\\302\\234"],
  ["backspaces", "\\010\\010\\010\\010"],
] as const;

describe("a person's terminal", () => {
  it("gets none of a command's control sequences, and every colour", async () => {
    const script = [
      "echo first line",
      ...hostile.map(([, bytes]) => `printf '${bytes}'`),
      "printf '\\033[31mred\\033[0m\\n'",
      ...hostile.map(([, bytes]) => `printf '${bytes}' >&2`),
      "echo last line",
    ].join("; ");
    await using terminal = openTerminal(home, ["run", "--no-workspace", "--", "sh", "-c", script]);
    await terminal.sees("exit code 0");
    const screen = terminal.screen({ colours: true });
    expect(screen).toMatch(/first line[^]*red[^]*last line/);
    expect(screen).toContain("\u001b[31mred");
    expect(terminal.title()).not.toContain("owned");
    expect(terminal.clipboard()).not.toContain("owned");
    // an answer to a question would be typed into the shell
    expect(screen).not.toMatch(/\[\?|;1R|rgb:/);
  });

  it("gets no control sequence by way of a name: of a file, of a command, of an error", async () => {
    const name = "$(printf 'a\\033]0;owned\\007\\033[2Jb')";
    await using terminal = openTerminal(home, [
      "run",
      "--apply",
      "never",
      "--",
      "sh",
      "-c",
      `echo x > "${name}"`,
    ]);
    const screen = await terminal.sees("exit code 0");
    expect(screen).toContain(
      "refused   a\\x1b]0;owned\\x07\\x1b[2Jb: control character in the name",
    );
    expect(terminal.title()).not.toContain("owned");
  });
});
