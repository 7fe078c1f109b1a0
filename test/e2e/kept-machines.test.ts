/**
 * Machines that outlive the command that started them: used by many commands, ended with everything they
 * have, and told of when their supervisor is killed, in whatever phase.
 */
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome, CliResult } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { areGone, listFamily } from "../support/host-process.ts";
import { openTerminal } from "../support/terminal.ts";

/** what the kernel may take to end a killed process's family */
const deathMs = 2_000;

let home: CliHome;
beforeAll(async () => {
  home = await createCliHome();
});
afterEach(async () => {
  const names = (await list()).map(({ name }) => name);
  if (names.length > 0) await vm("rm", ...names);
});
afterAll(() => home[Symbol.asyncDispose]());

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly reason: string | null;
  readonly machine: string | null;
  readonly supervisorPid: number | null;
}

function vm(...args: readonly string[]): Promise<CliResult> {
  return home.run(["vm", ...args]);
}

async function start(name: string, ...more: readonly string[]): Promise<Listed> {
  const { stdout, stderr, exitCode } = await vm(
    "start",
    "--json",
    "--memory",
    "128",
    "--name",
    name,
    ...more,
  );
  if (exitCode !== 0) throw new Error(stdout.toString() + stderr);
  return JSON.parse(stdout.toString()) as Listed;
}

async function list(): Promise<readonly Listed[]> {
  const { stdout } = await vm("ls", "--json");
  return JSON.parse(stdout.toString()) as readonly Listed[];
}

async function one(name: string): Promise<Listed> {
  const found = (await list()).find((each) => each.name === name);
  if (found === undefined) throw new Error(`no machine ${name} is listed`);
  return found;
}

async function say(name: string, ...argv: readonly string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await vm("exec", name, "--workdir", "/tmp", "--", ...argv);
  if (exitCode !== 0) throw new Error(`exit ${String(exitCode)}: ${stderr}`);
  return stdout.toString();
}

describe("a kept machine", () => {
  it("outlives the command that started it, and is used by many at once", async () => {
    const { id, machine } = await start("work");
    await say("work", "sh", "-c", "echo kept > /tmp/file");
    const words = ["work", id, machine ?? "", "work"];
    const answers = await Promise.all(words.map((word) => say(word, "cat", "/tmp/file")));
    expect(answers).toEqual(words.map(() => "kept\n"));
    expect(statSync(join(home.runtimeDir, `${id}.sock`)).mode & 0o777).toBe(0o600);
    const { stdout } = await home.run(["ps", "--json"]);
    expect(stdout.toString()).toContain(machine);
  });

  it("passes a command's bytes, streams and code through its supervisor unchanged", async () => {
    await start("work");
    const input = Buffer.alloc(3_000_000, "0123456789abcdef");
    const echoed = await home.run(["vm", "exec", "work", "--workdir", "/", "--", "cat"], { input });
    expect(echoed.stdout.equals(input)).toBe(true);
    const failed = await vm("exec", "work", "--", "sh", "-c", "echo out; echo err >&2; exit 7");
    expect(failed).toMatchObject({ exitCode: 7, stderr: "err\n" });
    expect((await vm("exec", "work", "--", "no-such-command")).exitCode).toBe(127);
    const late = await vm("exec", "work", "--timeout", "1", "--", "sleep", "60");
    expect(late.exitCode).toBe(124);
  });

  it("ends the command of a client that is killed, and goes on", async () => {
    await start("work");
    const child = home.start(["vm", "exec", "work", "--", "sleep", "4321"]);
    await eventually("the command runs", async () => {
      return (await say("work", "ps")).includes("sleep 4321");
    });
    child.kill("SIGKILL");
    await once(child, "close");
    await eventually("the command is gone", async () => {
      return !(await say("work", "ps")).includes("sleep 4321");
    });
  });

  it("takes files in and gives them back, and writes over nothing", async () => {
    await start("work");
    writeFileSync(join(home.project, "in.txt"), "text\n");
    expect((await vm("cp", "in.txt", "work:/tmp/deep/in.txt")).exitCode).toBe(0);
    expect((await vm("cp", "work:/tmp/deep/in.txt", "out.txt")).exitCode).toBe(0);
    expect(readFileSync(join(home.project, "out.txt"), "utf8")).toBe("text\n");
    const again = await vm("cp", "work:/tmp/deep/in.txt", "out.txt");
    expect(again).toMatchObject({ exitCode: 125 });
    expect(again.stderr).toContain("there is something at out.txt already");
    expect((await vm("cp", "work:/tmp/deep/in.txt", "-")).stdout.toString()).toBe("text\n");
  });

  it("ends with its supervisor and its files when it is stopped, and starts again", async () => {
    const { supervisorPid } = await start("work");
    const family = await listFamily(supervisorPid ?? 0);
    expect(family.length).toBeGreaterThan(1);
    expect((await vm("stop", "work")).exitCode).toBe(0);
    await areGone(family, deathMs);
    expect(await one("work")).toMatchObject({ state: "stopped", machine: null });
    expect(await home.leftovers()).toEqual([]);
    expect(existsSync(join(home.stateDir, "machines/work/memory"))).toBe(false);
    const refused = await vm("exec", "work", "--", "true");
    expect(refused.stderr).toContain("luminaguard vm restart work");
    expect((await vm("restart", "work")).exitCode).toBe(0);
    expect(await say("work", "echo", "again")).toBe("again\n");
    expect((await vm("logs", "work")).stdout.toString()).toMatch(
      /started[\s\S]*stopped[\s\S]*started/,
    );
  });

  it("stands still and goes on as every machine does, and is told of when it was removed", async () => {
    const { machine } = await start("work");
    await home.run(["freeze", machine ?? ""]);
    const frozen = await vm("snapshot", "work");
    expect(frozen.stderr).toContain("is frozen");
    await home.run(["resume", machine ?? ""]);
    expect(await say("work", "echo", "on")).toBe("on\n");
    await home.run(["rm", machine ?? ""]);
    await eventually("it is told of", async () => (await one("work")).state !== "running");
    expect((await one("work")).reason).toContain("removed by luminaguard rm");
  });
});

describe("a shell in a kept machine", () => {
  it("has a terminal that follows the window, and leaves with the shell's own code", async () => {
    await start("work");
    await using terminal = openTerminal(home, ["vm", "shell", "work"]);
    const says = async (line: string, answer: string): Promise<void> => {
      terminal.types(`${line}\r`);
      await terminal.sees(answer);
    };
    await terminal.sees(/[#$]$/m);
    await says("echo $((6 * 7))-$(id -u)", "42-1000");
    await says("echo size $(stty size)", "size 40 100");
    terminal.resize(70, 20);
    await eventually("the window's new size", async () => {
      terminal.types("clear; echo size $(stty size)\r");
      return (await terminal.sees(/size \d+ \d+/)).includes("size 20 70");
    });
    // an interrupt before the command runs would be the shell's, which goes on
    await says("sh -c 'echo run''ning; exec sleep 1000'", "running");
    terminal.press("C-c");
    await says("echo after $?", "after 130");
    await says("exit 3", "exit code 3");
    expect((await one("work")).state).toBe("running");
  });
});

describe("the name of a kept machine", () => {
  it("is claimed by one of two that want it at the same time", async () => {
    const both = await Promise.all([
      vm("start", "--name", "mine", "--memory", "128"),
      vm("start", "--name", "mine", "--memory", "128"),
    ]);
    expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 125]);
    expect(both.map(({ stderr }) => stderr).join("")).toContain(
      'there is a machine "mine" already',
    );
  });

  it("leads to the nearest one when it is mistyped", async () => {
    await start("work");
    expect((await vm("exec", "wrok", "--", "true")).stderr).toContain('did you mean "work"?');
  });

  it("is run by one of two that start it again at the same time", async () => {
    await start("work");
    await vm("stop", "work");
    const both = await Promise.all([vm("restart", "work"), vm("restart", "work")]);
    expect(both.some(({ exitCode }) => exitCode === 0)).toBe(true);
    expect((await one("work")).state).toBe("running");
    expect(readdirSync(home.runtimeDir).filter((name) => /^vm-[0-9a-f]+$/.test(name))).toHaveLength(
      1,
    );
  });
});

describe("a supervisor that is killed", () => {
  it("while its machine runs takes it along, and the next command says so", async () => {
    const { supervisorPid } = await start("work");
    const family = await listFamily(supervisorPid ?? 0);
    process.kill(supervisorPid ?? 0, "SIGKILL");
    await areGone(family, deathMs);
    expect(await one("work")).toMatchObject({
      state: "failed",
      reason: expect.stringContaining("killed") as unknown,
    });
    expect(await home.leftovers()).toEqual([]);
    expect(existsSync(join(home.stateDir, "machines/work/memory"))).toBe(false);
    expect((await vm("exec", "work", "--", "true")).stderr).toContain("vm restore work");
  });

  it("while it starts leaves no machine and no name", async () => {
    const child = home.start(["vm", "start", "--name", "early", "--memory", "128"]);
    child.stdin.end();
    const runPath = join(home.stateDir, "machines/early/run.json");
    await eventually("it starts", () => existsSync(runPath));
    const { supervisor } = JSON.parse(readFileSync(runPath, "utf8")) as {
      supervisor: { pid: number };
    };
    const family = await listFamily(supervisor.pid);
    process.kill(supervisor.pid, "SIGKILL");
    const [exitCode] = (await once(child, "close")) as [number];
    expect(exitCode).toBe(125);
    await areGone(family, deathMs);
    expect(await list()).toEqual([]);
    expect(await home.leftovers()).toEqual([]);
  });

  it("while it takes a machine back leaves the snapshot, and another try takes it back", async () => {
    const { supervisorPid } = await start("work");
    await say("work", "sh", "-c", "echo kept > /tmp/file");
    await vm("snapshot", "work", "--name", "before");
    const child = home.start(["vm", "restore", "work", "before"]);
    child.stdin.end();
    const runPath = join(home.stateDir, "machines/work/run.json");
    const supervisor = await eventually("another supervisor restores it", () => {
      const run = JSON.parse(readFileSync(runPath, "utf8")) as {
        readonly supervisor: { readonly pid: number };
        readonly machine: string | null;
      };
      return run.supervisor.pid !== supervisorPid && run.machine === null && run.supervisor.pid;
    });
    const family = await listFamily(supervisor);
    process.kill(supervisor, "SIGKILL");
    const [exitCode] = (await once(child, "close")) as [number];
    expect(exitCode).toBe(125);
    await areGone(family, deathMs);
    expect((await one("work")).state).toBe("failed");
    expect(await home.leftovers()).toEqual([]);
    expect(await vm("restore", "work", "before")).toMatchObject({ exitCode: 0 });
    expect(await say("work", "cat", "/tmp/file")).toBe("kept\n");
  });

  it("is not needed by its machine's end: a hypervisor that dies is told of with the reason", async () => {
    const { supervisorPid } = await start("work");
    const family = await listFamily(supervisorPid ?? 0);
    process.kill(family.at(-1)?.pid ?? 0, "SIGKILL");
    await areGone(family, 5_000);
    expect(await one("work")).toMatchObject({
      state: "failed",
      reason: expect.stringContaining("hypervisor ended") as unknown,
    });
    expect(await home.leftovers()).toEqual([]);
  });
});
