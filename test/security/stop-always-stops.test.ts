/**
 * STOP stops every machine within a second, whatever the agent in it or the program that owns it does, and
 * nothing of it needs the owner. Whether something runs is asked of the kernel, not of the code under test.
 */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findByArgument } from "../../src/process/process-identity.ts";
import { MachineDesk } from "../../src/runtime/machine-desk.ts";
import { collect, createCliHome, sees } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { createOwnLumina } from "../support/lumina.ts";
import { areGone, listFamily, readStatus } from "../support/host-process.ts";

/** a person's STOP holds within this time */
const stopMs = 1_000;
/** what the kernel may take to end a killed process's family */
const deathMs = 2_000;

let home: CliHome;
let desk: MachineDesk;
const owners: ChildProcessWithoutNullStreams[] = [];
beforeEach(async () => {
  home = await createCliHome();
  desk = new MachineDesk(home.runtimeDir);
});
afterEach(async () => {
  for (const owner of owners.splice(0)) {
    owner.kill("SIGKILL");
    if (owner.exitCode === null && owner.signalCode === null) await once(owner, "close");
  }
  await eventually("no machine is left", async () => (await hypervisors()).length === 0);
  await home[Symbol.asyncDispose]();
});

function own(mode: "deaf" | "spawner"): ChildProcessWithoutNullStreams {
  const program = join(import.meta.dirname, "../fixtures/stubborn-owner.mjs");
  const owner = spawn(process.execPath, [program, mode], {
    env: {
      ...process.env,
      LUMINAGUARD_RUNTIME_DIR: home.runtimeDir,
      LUMINAGUARD_STATE_DIR: home.stateDir,
    },
  });
  owner.stdout.resume();
  owners.push(owner);
  return owner;
}

function run(script: string): ChildProcessWithoutNullStreams {
  const owner = home.start(["run", "--no-workspace", "--", "sh", "-c", script]);
  owners.push(owner);
  return owner;
}

/** Pids of the hypervisors of this home's machines: by name and command line, as the kernel knows them. */
async function hypervisors(): Promise<readonly number[]> {
  const pids = await findByArgument(home.runtimeDir);
  return pids.filter((pid) => nameOf(pid).startsWith("qemu"));
}

function nameOf(pid: number): string {
  try {
    return readStatus(pid).get("Name") ?? "";
  } catch {
    return ""; // it has ended
  }
}

async function unstopped(): Promise<readonly number[]> {
  const pids = await hypervisors();
  return pids.filter((pid) => nameOf(pid) !== "" && !readStatus(pid).get("State")?.startsWith("T"));
}

/** Processor time that a process has used, in ticks. */
async function ticksOf(pid: number): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14).join(" ");
}

/** Freezes everything, and holds that to a second. */
async function stopAll(): Promise<void> {
  const startedAt = performance.now();
  const { machines } = await desk.freezeAll();
  const tookMs = performance.now() - startedAt;
  expect(machines.filter(({ state }) => state === "running")).toEqual([]);
  expect(tookMs).toBeLessThan(stopMs);
}

describe("STOP", () => {
  it("stops a machine that loops and floods, and its run goes on afterwards", async () => {
    const script = "seq 1 200000; echo half >&2; while :; do :; done & seq 200001 400000; kill $!";
    const owner = run(script);
    const end = collect(owner);
    await sees(owner, "half");
    const told = sees(owner, "was stopped by luminaguard freeze; luminaguard resume vm-");
    await stopAll();
    expect(await unstopped()).toEqual([]);
    const [vmm = 0] = await hypervisors();
    const before = await ticksOf(vmm);
    await told;
    expect(await ticksOf(vmm)).toBe(before);
    await desk.resumeAll();
    const { exitCode, stdout, stderr } = await end;
    expect(exitCode).toBe(0);
    expect(stderr).toContain("  resumed   machine vm-");
    const lines = stdout.toString("latin1").trimEnd().split("\n");
    expect(lines).toHaveLength(400_000);
    expect(lines.findIndex((line, at) => line !== String(at + 1))).toBe(-1);
  });

  it("needs nothing of the owner: one that never looks, and one that is stopped itself", async () => {
    const deaf = own("deaf");
    await sees(deaf, "spawned");
    const stopped = run("echo in >&2; while :; do :; done");
    await sees(stopped, "in\n");
    stopped.kill("SIGSTOP");
    expect(await hypervisors()).toHaveLength(2);
    await stopAll();
    expect(await unstopped()).toEqual([]);
    const { machines } = await desk.removeAll();
    expect(machines).toEqual([]);
    await eventually("no machine runs", async () => (await hypervisors()).length === 0);
    stopped.kill("SIGCONT");
  });

  it("catches every machine of a program that starts them without end", async () => {
    const owner = own("spawner");
    await sees(owner, "spawned");
    await stopAll();
    expect(await unstopped()).toEqual([]);
    // whatever it does from now on, nothing of it runs: looked at while another start is refused
    let isOver = false;
    const next = home.run(["run", "--no-workspace", "--", "true"]).finally(() => (isOver = true));
    const seen = await eventually("the next start is refused", async () => {
      const running = await unstopped();
      return running.length > 0 || isOver ? { running } : undefined;
    });
    expect(seen.running).toEqual([]);
    expect((await next).exitCode).toBe(125);
    expect((await hypervisors()).length).toBeGreaterThan(0);
  });

  it("is obeyed by the command line of another process, which says how long it took", async () => {
    const owner = own("deaf");
    await sees(owner, "spawned");
    const { exitCode, stderr } = await home.run(["freeze", "--all"]);
    expect(await unstopped()).toEqual([]);
    expect(exitCode).toBe(0);
    expect(Number(/1 machine frozen in (\S+) s/.exec(stderr)?.[1])).toBeLessThan(stopMs / 1000);
    const refused = await home.run(["run", "--no-workspace", "--", "true"]);
    expect(refused.exitCode).toBe(125);
    expect(refused.stderr).toContain("luminaguard resume --all");
  });
});

describe("a frozen machine", () => {
  it("dies with its owner, and the next start clears the rest", async () => {
    const owner = run("echo in >&2; sleep 60");
    await sees(owner, "in\n");
    await stopAll();
    const family = await listFamily(owner.pid ?? 0);
    owner.kill("SIGKILL");
    await areGone(family, deathMs);
    expect((await home.run(["changes", "ls"])).exitCode).toBe(0);
    expect(await home.leftovers()).toEqual(["STOP"]);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("is ended by one %s to its owner", async (signal, code) => {
    const owner = run("echo in >&2; sleep 60");
    const end = collect(owner);
    await sees(owner, "in\n");
    const told = sees(owner, "  frozen    machine vm-");
    await stopAll();
    await told;
    owner.kill(signal);
    expect((await end).exitCode).toBe(code);
    expect(await home.leftovers()).toEqual(["STOP"]);
  });

  it("has the right time when it goes on", async () => {
    await using own = await createOwnLumina();
    await using machine = await own.lumina.spawn({ memoryMib: 128 });
    const behindMs = async (): Promise<number> => {
      const { stdout } = await machine.exec(["adjtimex"], { cwd: "/" });
      const [, s, us] = /time\.tv_sec: +(\d+)[\s\S]*time\.tv_usec: +(\d+)/.exec(stdout) ?? [];
      return Date.now() - (Number(s) * 1000 + Number(us) / 1000);
    };
    const least = async (): Promise<number> => {
      const readings = [];
      for (let reading = 0; reading < 5; reading += 1) readings.push(await behindMs());
      return Math.min(...readings);
    };
    const before = await least();
    await machine.freeze();
    const thawedAt = performance.now() + 2_000;
    await eventually("two seconds pass", () => performance.now() > thawedAt);
    expect(machine.isFrozen).toBe(true);
    await machine.resume();
    expect(Math.abs((await least()) - before)).toBeLessThan(100);
  });

  it("is ended by luminaguard rm, and its run says why", async () => {
    const owner = run("echo in >&2; sleep 60");
    const end = collect(owner);
    await sees(owner, "in\n");
    await stopAll();
    expect((await home.run(["rm", "--all"])).exitCode).toBe(0);
    const { exitCode, stderr } = await end;
    expect(exitCode).toBe(125);
    expect(stderr).toContain("removed by luminaguard rm");
    expect(await home.leftovers()).toEqual([]);
  });
});
