/** A card in a real terminal: what a person presses is what happens, and nothing else is an answer. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findByArgument } from "../../src/process/process-identity.ts";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { readTree } from "../support/make-tree.ts";
import { openTerminal } from "../support/terminal.ts";
import { takesKeys } from "../support/takes-keys.ts";

const before = { "a.txt": "old\n" };
const after = { "a.txt": "new\n", "b.txt": "b\n" };
const run = ["run", "--", "sh", "-c", "echo new > a.txt; echo b > b.txt"];

let home: CliHome;
beforeEach(async () => {
  home = await createCliHome();
  await writeFile(join(home.project, "a.txt"), "old\n");
});
afterEach(() => home[Symbol.asyncDispose]());

async function kept(): Promise<number> {
  const { stdout } = await home.run(["changes", "ls", "--json"]);
  return (JSON.parse(stdout.toString("utf8")) as unknown[]).length;
}

describe("a card in a terminal", () => {
  it("applies everything on a", async () => {
    await using terminal = openTerminal(home, run);
    expect(await takesKeys(terminal)).toContain("2 files changed");
    expect(readTree(home.project)).toEqual(before);
    terminal.press("a");
    await terminal.sees("applied   2 of 2");
    await terminal.sees("exit code 0");
    expect(readTree(home.project)).toEqual(after);
    expect(await kept()).toBe(0);
  });

  it("shows the differences on v and asks again", async () => {
    await using terminal = openTerminal(home, run);
    await takesKeys(terminal);
    terminal.press("v");
    expect(await terminal.sees(/\+new[^]*\+b[^]*q back/)).toContain("-old");
    terminal.press("q");
    await terminal.sees("[r] reject");
    terminal.press("q");
    await terminal.sees("exit code 11");
    expect(readTree(home.project)).toEqual(before);
  });

  it("goes file by file on f and writes what got a y", async () => {
    await using terminal = openTerminal(home, run);
    await takesKeys(terminal);
    terminal.press("f");
    await terminal.sees("1/2");
    terminal.press("n");
    await terminal.sees("2/2");
    terminal.press("y");
    await terminal.sees("exit code 0");
    expect(readTree(home.project)).toEqual({ ...before, "b.txt": "b\n" });
    expect(await kept()).toBe(1);
  });

  it.each([
    ["r", ["r", "Enter"], 11],
    ["Ctrl-C", ["C-c"], 11],
    ["q", ["q"], 11],
    ["Ctrl-Z", ["C-z"], 11],
  ])("writes nothing and keeps the changes on %s", async (_name, keys, code) => {
    await using terminal = openTerminal(home, run);
    await takesKeys(terminal);
    for (const key of keys) {
      terminal.press(key);
      if (key === "r") await terminal.sees("why not?");
    }
    await terminal.sees(`exit code ${code}`);
    expect(readTree(home.project)).toEqual(before);
    expect(await kept()).toBe(1);
  });

  it("takes silence for a no", async () => {
    await using terminal = openTerminal(home, run, { LUMINAGUARD_APPROVAL_TIMEOUT: "2" });
    await terminal.sees("no answer: that is a no");
    await terminal.sees("exit code 11");
    expect(readTree(home.project)).toEqual(before);
    expect(await kept()).toBe(1);
  });

  it("takes the terminal back from the person's pager when its time is over", async () => {
    // one that listens to nothing
    const page = join(home.project, "..", "page");
    const sleeps = `300.${process.pid}`;
    const script = ["trap '' TERM", "echo PAGE", `sleep ${sleeps}`];
    await writeFile(page, script.join("\n"));
    await using terminal = openTerminal(home, run, {
      LUMINAGUARD_APPROVAL_TIMEOUT: "5",
      PAGER: `sh ${page}; true`,
    });
    await terminal.answers("v", "PAGE");
    await terminal.sees("exit code 11");
    expect(await findByArgument(sleeps)).toEqual([]);
    expect(readTree(home.project)).toEqual(before);
  });

  it("is not answered by what was typed before it", async () => {
    await using terminal = openTerminal(
      home,
      ["run", "--", "sh", "-c", "echo ready; sleep 2; echo new > a.txt"],
      {
        LUMINAGUARD_APPROVAL_TIMEOUT: "3",
      },
    );
    await terminal.sees("ready");
    terminal.press("a", "a", "a");
    await terminal.sees("exit code 11");
    expect(readTree(home.project)).toEqual(before);
  });

  it("is a no when the terminal is closed: the changes are kept, nothing is written, no machine stays", async () => {
    const mark = `MARK=${home.project}`;
    const terminal = openTerminal(home, ["run", "--env", mark, ...run.slice(1)]);
    await takesKeys(terminal);
    expect(await findByArgument(mark)).not.toEqual([]);
    terminal.close();
    await eventually("no process", async () => (await findByArgument(mark)).length === 0);
    expect(readTree(home.project)).toEqual(before);
    expect(await kept()).toBe(1);
    expect(await home.leftovers()).toEqual([]);
  });
});

describe("Ctrl-C in a terminal", () => {
  it("reaches the command and not the machine", async () => {
    const script = "trap 'echo cleaned up; exit 7' INT; echo ready; while :; do sleep 0.1; done";
    await using terminal = openTerminal(home, ["run", "--no-workspace", "--", "sh", "-c", script]);
    await terminal.sees("ready");
    terminal.press("C-c");
    expect(await terminal.sees("exit code 7")).toContain("cleaned up");
  });
});
