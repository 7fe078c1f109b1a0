import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runTask } from "../../../src/runtime/run-task.ts";
import type { TaskFace } from "../../../src/runtime/run-task.ts";
import { eventually } from "../../support/eventually.ts";
import { createDryLumina } from "../../support/dry-lumina.ts";

describe("a dry run", () => {
  it("has machines that know a few commands and leave nothing behind", async () => {
    await using dry = await createDryLumina();
    await using machine = await dry.lumina.spawn({ env: { NAME: "Ada" } });
    expect(machine.facts).toEqual({
      backend: "fake",
      accelerator: "none",
      nic: "none",
      canaries: [],
    });
    expect(await machine.exec(["echo", "hello"])).toMatchObject({ exitCode: 0, stdout: "hello\n" });
    expect((await machine.exec(["env"], { env: { MORE: "1" } })).stdout).toBe("NAME=Ada\nMORE=1\n");
    await machine.quiesce();
    await machine.stop();
    expect(readdirSync(join(dry.folder, "run"))).toEqual([]);
  });

  it("has machines that are frozen and go on, and say so", async () => {
    await using dry = await createDryLumina();
    const heard: boolean[] = [];
    await using machine = await dry.lumina.spawn({ onFrozen: (isFrozen) => heard.push(isFrozen) });
    expect(machine.isFrozen).toBe(false);
    await machine.freeze();
    expect(machine.isFrozen).toBe(true);
    await eventually("it was told", () => heard.length === 1);
    await machine.resume();
    expect(machine.isFrozen).toBe(false);
    await eventually("it was told", () => heard.length === 2);
    expect(heard).toEqual([true, false]);
  });

  it("refuses machines after a STOP, and not after it was taken back", async () => {
    await using dry = await createDryLumina();
    await dry.lumina.machines.freezeAll();
    await expect(dry.lumina.spawn()).rejects.toMatchObject({ code: "FROZEN" });
    await dry.lumina.machines.resumeAll();
    await (await dry.lumina.spawn()).stop();
  });

  it("ends its machines with its scope", async () => {
    const dry = await createDryLumina();
    const machine = await dry.lumina.spawn();
    await dry.lumina[Symbol.asyncDispose]();
    expect(await machine.exited).toMatchObject({ requested: true });
    await dry[Symbol.asyncDispose]();
  });

  it("has pools", async () => {
    await using dry = await createDryLumina();
    await using pool = dry.lumina.pool(2);
    const [one, other] = await Promise.all([pool.claim(), pool.claim()]);
    expect(one.id).not.toBe(other.id);
    expect((await one.exec(["pwd"])).stdout).toBe("/workspace\n");
    await Promise.all([one.stop(), other.stop()]);
  });

  it("refuses a machine that no hypervisor could run", async () => {
    await using dry = await createDryLumina();
    await expect(dry.lumina.spawn({ memoryMib: 1 })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });

  it("ends with the caller's own reason", async () => {
    await using dry = await createDryLumina();
    const reason = new Error("enough");
    await expect(dry.lumina.spawn({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("a command's handle", () => {
  it("keeps no more output than it may", async () => {
    await using dry = await createDryLumina();
    await using machine = await dry.lumina.spawn();
    const echo = (outputBytesMax: number): PromiseLike<{ stdout: string }> =>
      machine.exec(["echo", "12345"], { outputBytesMax });
    expect((await echo(6)).stdout).toBe("12345\n");
    await expect(echo(5)).rejects.toMatchObject({
      code: "WIRE_LIMIT",
      hint: expect.stringContaining("outputBytesMax") as unknown,
    });
  });

  it("can be awaited more than once", async () => {
    await using dry = await createDryLumina();
    await using machine = await dry.lumina.spawn();
    const command = machine.exec(["echo", "once"]);
    expect(await command).toBe(await command);
  });

  it("takes its stdin as text, as bytes, or as it comes", async () => {
    await using dry = await createDryLumina();
    await using machine = await dry.lumina.spawn();
    expect((await machine.exec(["cat"], { stdin: "text" })).stdout).toBe("text");
    expect((await machine.exec(["cat"], { stdin: Buffer.from("bytes") })).stdout).toBe("bytes");
    const command = machine.exec(["cat"], { stdin: true });
    await command.write("one ");
    await command.write("two");
    await command.endStdin();
    expect((await command).stdout).toBe("one two");
  });

  it("says 124 when the time was up, for those who read the output, too", async () => {
    await using dry = await createDryLumina();
    await using machine = await dry.lumina.spawn();
    const command = machine.exec(["sleep", "60"], { timeoutMs: 20 });
    for await (const chunk of command.output) expect(chunk).toBeUndefined();
    expect(await command.exit).toMatchObject({ exitCode: 124, timedOut: true });
  });
});

describe("a task", () => {
  /** What a face was told, in order. */
  function createFace(): { face: TaskFace; told: string[] } {
    const told: string[] = [];
    return {
      told,
      face: {
        onPhase: (phase) => told.push(`phase ${JSON.stringify(phase)}`),
        onSpawned: ({ backend }) => told.push(`spawned ${backend}`),
        onWorkspace: ({ files }) => told.push(`workspace ${files}`),
        onStarted: () => told.push("started"),
        onOutput: ({ source, data }) => void told.push(`${source} ${data.toString()}`),
        onEnded: () => told.push("ended"),
        onDestroyed: ({ exitCode }) => told.push(`destroyed ${exitCode}`),
      },
    };
  }

  it("tells its face each step, and ends its machine", async () => {
    await using dry = await createDryLumina();
    const { face, told } = createFace();
    const argv = ["sh", "-c", "echo out; exit 7"];
    const result = await runTask(dry.lumina, { argv, workdir: "/" }, face);
    expect(result).toMatchObject({ exitCode: 7, timedOut: false, changeSet: undefined });
    expect(told).toEqual([
      ...['phase "booting"', "spawned fake", "started", "stdout out\n", "ended", "destroyed 7"],
    ]);
    expect(readdirSync(join(dry.folder, "run"))).toEqual([]);
  });

  it("ends with 127 where there is no such command, in the machine's words", async () => {
    await using dry = await createDryLumina();
    const { face, told } = createFace();
    const result = await runTask(dry.lumina, { argv: ["frobnicate"] }, face);
    expect(result).toMatchObject({
      exitCode: 127,
      failure: "no such command: frobnicate",
    });
    expect(told.at(-1)).toBe("destroyed 127");
  });

  it("ends with 124 when the time was up", async () => {
    await using dry = await createDryLumina();
    const request = { argv: ["sleep", "60"], timeoutMs: 20 };
    expect(await runTask(dry.lumina, request, createFace().face)).toMatchObject({
      exitCode: 124,
      timedOut: true,
    });
  });

  it("fails where its folder cannot go in, and leaves no machine", async () => {
    await using dry = await createDryLumina();
    const workspace = { root: join(dry.folder, "nowhere"), include: [] };
    const running = runTask(dry.lumina, { argv: ["true"], workspace }, createFace().face);
    await expect(running).rejects.toThrow();
    expect(readdirSync(join(dry.folder, "run"))).toEqual([]);
  });

  it("ends with the caller's own reason in the middle of a command", async () => {
    await using dry = await createDryLumina();
    const over = new AbortController();
    const reason = new Error("enough");
    const face = { ...createFace().face, onStarted: () => over.abort(reason) };
    const running = runTask(dry.lumina, { argv: ["sleep", "60"] }, face, over.signal);
    await expect(running).rejects.toBe(reason);
    expect(readdirSync(join(dry.folder, "run"))).toEqual([]);
  });
});
