/** A machine into a file and out of it: it goes on where the file is taken, once, or stays where it was. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { copyFile, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { MovingMachine } from "../support/moving-machine.ts";
import { runWithSmallDisk } from "../support/small-disk.ts";

let here: MovingMachine;
let there: MovingMachine;
let file: string;
const homes: CliHome[] = [];

beforeAll(async () => {
  for (let count = 0; count < 2; count += 1) homes.push(await createCliHome());
  const [one, other] = homes as [CliHome, CliHome];
  here = new MovingMachine(one);
  there = new MovingMachine(other);
  file = join(one.project, "work.machine");
  await here.start();
});
afterAll(async () => {
  await here.removeAll();
  await there.removeAll();
  for (const home of homes) await home[Symbol.asyncDispose]();
});

describe("a machine that goes into a file", () => {
  it("stands still here, runs where the file is taken, and is taken once there", async () => {
    await here.must("migrate", "work", "--to", file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await here.runs()).toBe(false);
    const [listed] = await here.list();
    expect(listed).toMatchObject({ name: "work", state: "running" });
    expect(listed?.doubt?.hint).toContain(`vm receive ${file}`);
    expect((await here.vm("ls")).stdout.toString()).toContain("in doubt");
    const bytes = readFileSync(file);
    const damaged = join(here.home.project, "damaged.machine");
    const whole = bytes.length;
    for (const [at, what] of [
      [9, "no machine"],
      [whole >> 1, "changed"],
      [whole - 1, "changed"],
    ] as const) {
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync(damaged, bytes);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      const refused = await there.vm("receive", damaged, "--json");
      expect(there.codeOf(refused)).toBe("SNAPSHOT_INVALID");
      expect(refused.stdout.toString()).toContain(what);
    }
    await truncate(damaged, whole - 1);
    expect(there.codeOf(await there.vm("receive", damaged, "--json"))).toBe("SNAPSHOT_INVALID");
    expect(await there.list()).toEqual([]);
    await there.must("receive", file);
    expect(await there.runs()).toBe(true);
    expect(await there.say("cat /proc/$(cat /tmp/pid)/cmdline")).toBe("sleep\0" + "1000\0");
    expect(there.codeOf(await there.vm("receive", file, "--name", "twice", "--json"))).toBe(
      "VM_MOVED",
    );
    expect((await there.list()).map(({ name }) => name)).toEqual(["work"]);
    expect(await here.runs()).toBe(false);
    await here.must("migrate", "work", "--resolve", "--there");
    expect(here.codeOf(await here.vm("exec", "work", "--json", "--", "true"))).toBe("VM_MOVED");
  });

  it("comes back by a person's word, and the file is worth nothing then", async () => {
    // where it went, it goes into another file: the tests share one machine
    const back = join(there.home.project, "back.machine");
    await there.must("migrate", "work", "--to", back);
    expect(there.codeOf(await there.decide("--here"))).toBe("MIGRATION_IN_DOUBT");
    expect(await there.runs()).toBe(false);
    await there.must("migrate", "work", "--resolve", "--here", "--other-is-gone");
    expect(await there.runs()).toBe(true);
    expect(existsSync(back)).toBe(false);
  });

  it("is not brought back when the file was taken on this host, whatever is said", async () => {
    const own = join(there.home.project, "own.machine");
    await there.must("migrate", "work", "--to", own);
    const claims = join(there.home.stateDir, "moves/claims");
    const { id } = there.journal() ?? { id: "" };
    writeFileSync(
      join(claims, id),
      JSON.stringify({ kind: "taken", machine: "m-000000", name: "other" }),
    );
    expect(there.codeOf(await there.decide("--here", "--other-is-gone"))).toBe("VM_MOVED");
    expect(await there.runs()).toBe(false);
    await rm(join(claims, id));
    const copy = join(there.home.project, "copy.machine");
    await copyFile(own, copy);
    await there.must("receive", own, "--name", "taken");
    expect((await there.list()).map(({ name, state }) => `${name} ${state}`)).toEqual([
      "taken running",
      "work stopped",
    ]);
    const again = await there.vm("receive", copy, "--name", "again", "--json");
    expect(there.codeOf(again)).toBe("VM_MOVED");
    await there.must("rm", "taken", "work");
  });

  it("goes on here when the disk is full, and leaves no file", async () => {
    await using own = await createCliHome();
    const files = join(own.project, "files");
    mkdirSync(files);
    const said = runWithSmallDisk(own, { folder: files, sizeMib: 16 }, [
      "lg vm start --name full --memory 128",
      `lg vm migrate full --to '${files}/full.machine'; echo "code $?"`,
      `ls -A '${files}'; lg vm exec full -- echo on; lg vm rm full`,
    ]);
    expect(said.stderr).toContain("no space left");
    expect(said.stdout).toBe("full\ncode 125\non\n");
  });
});
