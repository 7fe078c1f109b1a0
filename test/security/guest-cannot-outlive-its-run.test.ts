/** Whatever a command does to its machine, the run ends, says how, and nothing of it stays. */
import { readdir } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { identifyProcess, isRunning } from "../../src/process/process-identity.ts";
import type { Machine } from "../../src/runtime/machine.ts";
import { createCliHome } from "../support/cli.ts";
import type { CliHome, CliResult } from "../support/cli.ts";
import { createOwnLumina } from "../support/lumina.ts";
import type { OwnLumina } from "../support/lumina.ts";

let home: CliHome;
let own: OwnLumina;
beforeAll(async () => {
  home = await createCliHome();
  own = await createOwnLumina();
});
afterEach(async () => {
  expect(await home.leftovers()).toEqual([]);
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await own[Symbol.asyncDispose]();
});

const run = (script: string, ...options: string[]): Promise<CliResult> => {
  return home.run(["run", "--memory", "192", ...options, "--", "sh", "-c", script]);
};

describe("a run ends", () => {
  it("although its command forks without end", async () => {
    const { exitCode } = await run(
      "bomb() { bomb | bomb & }; bomb; sleep 600",
      "--no-workspace",
      "--timeout",
      "3",
    );
    expect(exitCode).toBe(124);
  });

  it("although its command left processes behind that ignore every signal", async () => {
    const { exitCode, stdout } = await run(
      "for n in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' & done; echo left",
      "--apply",
      "never",
    );
    expect({ exitCode, stdout: stdout.toString("utf8") }).toEqual({
      exitCode: 0,
      stdout: "left\n",
    });
  });

  it("with the command's own error when its disk is full", async () => {
    const { exitCode, stderr } = await run("dd if=/dev/zero of=/tmp/big bs=1M", "--no-workspace");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("No space left on device");
  });

  it("with 137 when its memory is used up", async () => {
    const { exitCode } = await run("tail /dev/zero", "--no-workspace", "--timeout", "60");
    expect(exitCode).toBe(137);
  });
});

describe("a machine that root inside it ends", () => {
  it.each([
    ["by a panic", "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 60"],
    ["by a reboot", "reboot -f; sleep 60"],
    ["by powering off", "poweroff -f; sleep 60"],
    ["by a fault of its first process", "kill -SEGV 1; sleep 60"],
  ])("%s fails its command, and is gone", async (_how, script) => {
    const machine = await own.lumina.spawn({ memoryMib: 128 });
    const vmm = await identifyProcess(machine.pid);
    const command = machine.exec(["sh", "-c", script], { cwd: "/", user: "0" });
    await expect(command).rejects.toMatchObject({ code: "VM_GONE" });
    expect(await machine.exited).toMatchObject({ requested: false });
    expect(vmm !== undefined && (await isRunning(vmm))).toBe(false);
    expect(await leftovers(machine)).toEqual([]);
  });

  it("cannot be ended by killing or stopping its first process", async () => {
    await using machine = await own.lumina.spawn({ memoryMib: 128 });
    for (const signal of ["KILL", "STOP"]) {
      await machine.exec(["kill", `-${signal}`, "1"], { cwd: "/", user: "0" });
    }
    expect((await machine.exec(["echo", "still"], { cwd: "/" })).stdout).toBe("still\n");
  });

  it("that goes mute is held to its command's limit, and ends when it is told to", async () => {
    const machine = await own.lumina.spawn({ memoryMib: 128 });
    const unbind =
      "cd /sys/bus/virtio/drivers/virtio_console && for d in virtio*; do echo $d > unbind; done; sleep 60";
    const command = machine.exec(["sh", "-c", unbind], { cwd: "/", user: "0", timeoutMs: 500 });
    await expect(command).rejects.toMatchObject({ code: "TIMEOUT" });
    await machine.stop();
    expect(await leftovers(machine)).toEqual([]);
  });
});

async function leftovers(machine: Machine): Promise<readonly string[]> {
  const names = await readdir(own.lumina.config.runtimeDir);
  return names.filter((name) => name.startsWith(machine.id));
}
