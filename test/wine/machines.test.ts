/**
 * The command as a person on Windows uses it, with a machine that the Linux QEMU runs (test/wine/bridge).
 * Run under Wine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const command = join(import.meta.dirname, "../../bin/luminaguard");
const qemu = "C:\\Program Files\\qemu\\qemu-system-x86_64.exe";
const project = "C:\\my project, with all";

interface Run {
  readonly pid: number;
  readonly ended: Promise<{
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }>;
}

function start(...args: readonly string[]): Run {
  const child = spawn(process.execPath, [command, ...args], {
    cwd: project,
    env: {},
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, "close").then(([code]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  return { pid: child.pid ?? 0, ended };
}

const run = (...args: readonly string[]): Run["ended"] => start(...args).ended;

async function listMachines(): Promise<readonly { id: string; state: string; vmmPid: number }[]> {
  const { stdout } = await run("ps", "--json");
  return (JSON.parse(stdout) as { machines: { id: string; state: string; vmmPid: number }[] })
    .machines;
}

describe.skipIf(!existsSync(qemu))("on Windows", () => {
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "a.txt"), "hello\n");

  test("doctor finds QEMU and what boots a machine", async () => {
    const { code, stdout, stderr } = await run("doctor");
    expect(stdout + stderr).toMatch(/qemu\/(whpx|tcg) +canary booted in/);
    expect(code).toBe(0);
  });

  test("a command runs in a machine on a copy of the folder, and what it changed is written back", async () => {
    const script = "uname -s; cat a.txt; echo new > b.txt; mkdir c; echo deep > c/d.txt";
    const { code, stdout } = await run("run", "--apply", "always", "--", "sh", "-c", script);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Linux\nhello\n" });
    expect(readFileSync(join(project, "b.txt"), "utf8")).toBe("new\n");
    expect(readFileSync(join(project, "c", "d.txt"), "utf8")).toBe("deep\n");
  });

  test("a machine that is to outlive its command is refused, and why", async () => {
    const { code, stderr } = await run("vm", "start");
    expect(code).toBe(125);
    expect(stderr).toMatch(/not offered on Windows/);
  });

  test("a machine is seen, stopped and let go on, and ends with its owner when that is killed", async () => {
    const owner = start("run", "--no-workspace", "--", "sleep", "600");
    const state = async (): Promise<string | undefined> => (await listMachines())[0]?.state;
    await expect.poll(state, { timeout: 60_000, interval: 500 }).toBe("running");
    const [machine] = await listMachines();
    expect((await run("freeze", machine?.id ?? "")).code).toBe(0);
    expect(await state()).toBe("frozen");
    expect((await run("resume", machine?.id ?? "")).code).toBe(0);
    expect(await state()).toBe("running");
    process.kill(owner.pid, "SIGKILL");
    await owner.ended;
    await expect.poll(() => isThere(machine?.vmmPid ?? 0), { timeout: 5_000 }).toBe(false);
    await run("doctor", "--help"); // any start clears up
    await run("image", "ls");
    expect(readdirSync("C:\\users\\root\\AppData\\Local\\luminaguard\\run")).toEqual([]);
  });
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
