/** Cards answered elsewhere, by rule, or not at all: real processes on one ledger. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCliHome, sees } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { readTree } from "../support/make-tree.ts";
import { takesKeys } from "../support/takes-keys.ts";
import { openTerminal } from "../support/terminal.ts";

const before = { "a.txt": "old\n" };
const after = { "a.txt": "new\n" };
const run = ["run", "--", "sh", "-c", "echo new > a.txt"];

interface Listed {
  readonly shortId: string;
  readonly state: string;
  readonly outcome: string;
  readonly decision: { readonly by: string; readonly reason: string } | null;
}

let home: CliHome;
beforeEach(async () => {
  home = await createCliHome();
  await writeFile(join(home.project, "a.txt"), "old\n");
});
afterEach(() => home[Symbol.asyncDispose]());

async function list(): Promise<readonly Listed[]> {
  const { stdout } = await home.run(["approvals", "ls", "--json"]);
  return JSON.parse(stdout.toString("utf8")) as Listed[];
}

function pendingId(): Promise<string> {
  return eventually("a card that waits", async () => {
    return (await list()).find(({ state }) => state === "pending")?.shortId ?? false;
  });
}

describe("a card", () => {
  it("that nobody can be asked about is refused at once, kept, and brought back by its id", async () => {
    const first = await home.run(run);
    expect(first.exitCode).toBe(10);
    const { shortId, state } = (await list())[0]!;
    expect(state).toBe("rejected");
    expect(first.stderr).toContain(`luminaguard approvals reopen ${shortId}`);
    await using terminal = openTerminal(home, ["approvals", "reopen", shortId.toLowerCase()]);
    await takesKeys(terminal);
    terminal.press("a");
    await terminal.sees("exit code 0");
    expect(readTree(home.project)).toEqual(after);
    expect((await list())[0]).toMatchObject({
      shortId,
      state: "done",
      decision: { by: "terminal" },
    });
  });

  it("on one terminal is rejected from another, and its run is told why", async () => {
    await using terminal = openTerminal(home, run);
    await terminal.sees("[r] reject");
    const id = await pendingId();
    const { exitCode } = await home.run(["approvals", "reject", id, "--reason", "not today"]);
    expect(exitCode).toBe(0);
    await terminal.sees("exit code 11");
    expect(readTree(home.project)).toEqual(before);
    expect((await list())[0]).toMatchObject({
      state: "rejected",
      decision: { reason: "not today" },
    });
  });

  it("is answered once: the second answer is told who was first", async () => {
    await using terminal = openTerminal(home, run);
    await terminal.sees("[r] reject");
    const id = await pendingId();
    const answers = await Promise.all([1, 2].map(() => home.run(["approvals", "reject", id])));
    expect(answers.map(({ exitCode }) => exitCode).sort()).toEqual([0, 125]);
    const late = answers.find(({ exitCode }) => exitCode === 125);
    expect(late?.stderr).toContain(`approval ${id} is rejected by command line`);
    await terminal.sees("exit code 11");
  });

  it("of a run without a terminal is drawn where somebody watches", async () => {
    await using terminal = openTerminal(home, ["approvals", "watch"]);
    await terminal.sees("waiting for cards");
    const piped = home.run(run);
    await takesKeys(terminal);
    terminal.press("a");
    expect((await piped).exitCode).toBe(0);
    expect(readTree(home.project)).toEqual(after);
    terminal.press("C-c");
    await terminal.sees("exit code 130");
  });

  it("that is answered elsewhere ends the pager it stands in, and the terminal is as it was", async () => {
    // without its keys of control, nothing could end the watch
    const pager = "stty -isig -echo </dev/tty; echo PAGE; sleep 300; true";
    await using terminal = openTerminal(home, ["approvals", "watch"], { PAGER: pager });
    await terminal.sees("waiting for cards");
    const piped = home.run(run);
    await terminal.answers("v", "PAGE");
    await home.run(["approvals", "reject", await pendingId()]);
    expect((await piped).exitCode).toBe(11);
    await eventually("Ctrl-C is heard", async () => {
      terminal.press("C-c");
      const isOver = (): boolean => terminal.screen().includes("exit code 130");
      return eventually("the end", isOver, 700).catch(() => false);
    });
    expect(readTree(home.project)).toEqual(before);
  });

  it("is approved by a script only where the person's own file says so", async () => {
    await using terminal = openTerminal(home, run);
    await terminal.sees("[r] reject");
    const id = await pendingId();
    const refused = await home.run(["approvals", "approve", id, "--yes"]);
    expect(refused).toMatchObject({ exitCode: 125 });
    expect(refused.stderr).toContain("scripts may not approve here");
    await mkdir(home.configDir, { recursive: true });
    const path = join(home.configDir, "config.json");
    await writeFile(path, JSON.stringify({ scriptedApproval: "yes" }));
    const env = { LUMINAGUARD_CONFIG: path };
    expect((await home.run(["approvals", "approve", id, "--yes"], { env })).exitCode).toBe(0);
    await terminal.sees("exit code 0");
    expect(readTree(home.project)).toEqual(after);
    expect((await list())[0]).toMatchObject({ state: "done", decision: { by: "script" } });
  });

  it("is answered by no pipe: approve needs a terminal", async () => {
    await using terminal = openTerminal(home, run);
    await terminal.sees("[r] reject");
    const id = await pendingId();
    const { exitCode, stderr } = await home.run(["approvals", "approve", id], {
      input: "aaaA\ny\n",
    });
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 125 });
    expect(stderr).toContain("no terminal to answer on");
    expect(await pendingId()).toBe(id);
    await home.run(["approvals", "reject", id]);
    await terminal.sees("exit code 11"); // its folders are not taken from under it
  });

  it("comes after a command that failed, and says so", async () => {
    await using terminal = openTerminal(home, [
      "run",
      "--",
      "sh",
      "-c",
      "echo new > a.txt; exit 3",
    ]);
    expect(await takesKeys(terminal)).toContain("the command ended with exit code 3");
    terminal.press("q");
    await terminal.sees("exit code 3");
    expect(readTree(home.project)).toEqual(before);
  });
});

describe("a rule", () => {
  it("of the person's own denies without asking, and the card says which", async () => {
    await mkdir(join(home.configDir, "policy"), { recursive: true });
    await writeFile(
      join(home.configDir, "policy", "mine.cedar"),
      '@id("hands-off")\nforbid (principal, action == Action::"file-write-back", resource);\n',
    );
    const { exitCode, stderr } = await home.run([
      ...run.slice(0, 1),
      "--apply",
      "always",
      ...run.slice(1),
    ]);
    expect(exitCode).toBe(11);
    expect(stderr).toContain("hands-off");
    expect(readTree(home.project)).toEqual(before);
  });

  it("that a person granted lets the next run write without a card, as often as it says", async () => {
    const scope = ["--who", "run", "--effect", "file-write-back", "--tool", "workspace.write-back"];
    const args = ["approvals", "grant", "add", ...scope, "--on", home.project, "--uses", "1"];
    await using terminal = openTerminal(home, args);
    expect(await terminal.sees("[y] add this rule")).toContain(home.project);
    await eventually("the key is taken", async () => {
      terminal.press("y");
      return eventually("the end", () => terminal.screen().includes("exit code 0"), 700).catch(
        () => false,
      );
    });
    expect((await home.run(run)).exitCode).toBe(0);
    expect(readTree(home.project)).toEqual(after);
    await writeFile(join(home.project, "a.txt"), "old\n");
    expect((await home.run(run)).exitCode).toBe(10);
  });

  it("does not overrule a STOP: what waits is withdrawn", async () => {
    const watcher = home.start(["approvals", "watch", "--json"]);
    const isTold = sees(watcher, "pending", "stdout");
    await using terminal = openTerminal(home, run);
    await terminal.sees("[r] reject");
    await isTold;
    expect((await home.run(["freeze", "--all"])).stderr).toContain("withdrew  1 card");
    await terminal.sees("exit code 11");
    expect((await home.run(["resume", "--all"])).exitCode).toBe(0);
    watcher.kill("SIGTERM");
    expect(readTree(home.project)).toEqual(before);
    expect((await list())[0]).toMatchObject({ state: "cancelled", outcome: "STOP" });
  });
});
