/** macOS's way of looking at processes, with Linux's `ps` in its place: held against what /proc says. */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readFamily, signalProcess } from "../../../src/process/process-family.ts";
import { createPsSource } from "../../../src/process/ps-source.ts";
import { eventually } from "../../support/eventually.ts";
import { startSleeper } from "../../support/sleeper.ts";

describe.skipIf(!existsSync("/bin/ps"))("processes as ps tells of them", () => {
  const source = createPsSource();

  it("are running, stopped, running again, and gone", async () => {
    await using sleeper = await startSleeper("exec sleep 60");
    const { pid } = sleeper.identity;
    const identity = source.identify(pid);
    if (identity === undefined) throw new Error("it was just started");
    expect(source.stateOf(identity)).toBe("running");
    signalProcess(sleeper.identity, "SIGSTOP");
    await eventually("it is stopped", () => source.stateOf(identity) === "stopped");
    signalProcess(sleeper.identity, "SIGCONT");
    await eventually("it runs", () => source.stateOf(identity) === "running");
    signalProcess(sleeper.identity, "SIGKILL");
    await sleeper.ended;
    expect([source.stateOf(identity), source.identify(pid)]).toEqual(["gone", undefined]);
  });

  it("keep their start time, which tells them from another of that number", async () => {
    await using sleeper = await startSleeper("exec sleep 60");
    const { pid } = sleeper.identity;
    const [first, again] = [source.identify(pid), source.identify(pid)];
    expect(first).toEqual(again);
    expect(Math.abs((first?.startTicks ?? 0) - Date.now() / 1000)).toBeLessThan(60);
    expect(source.stateOf({ pid, startTicks: (first?.startTicks ?? 0) - 1 })).toBe("gone");
    expect(source.family({ pid, startTicks: 1 })).toEqual([]);
  });

  it("have the family and the command that /proc says", async () => {
    await using sleeper = await startSleeper("sleep 61 & sleep 62 & wait");
    const { identity } = sleeper;
    await eventually("its children", () => readFamily(identity).length === 3);
    const first = source.identify(identity.pid);
    if (first === undefined) throw new Error("it was just started");
    const family = source.family(first).map(({ pid }) => pid);
    expect(family.toSorted()).toEqual(
      readFamily(identity)
        .map(({ pid }) => pid)
        .toSorted(),
    );
    expect(family[0]).toBe(identity.pid);
    const commands = family.map((pid) => source.command(pid).join(""));
    expect(commands).toEqual(expect.arrayContaining(["sleep 61", "sleep 62"]));
    expect(source.findByArgument("sleep 61")).toContain(family[commands.indexOf("sleep 61")]);
    for (const each of readFamily(identity)) signalProcess(each, "SIGKILL");
  });
});

describe("rows of ps", () => {
  const rows = `    1     0 Ss   Mon Nov  2 08:00:00 2026
  500     1 S+   Sun Nov 22 13:15:08 2026
  501   500 T    Sun Nov 22 13:15:09 2026
  502   500 Z    Sun Nov 22 13:15:09 2026
  nonsense
`;
  const source = createPsSource(() => rows);

  it("are read as macOS prints them, and a zombie is none", () => {
    const second = Date.UTC(2026, 10, 22, 13, 15, 8) / 1000;
    expect(source.identify(500)).toEqual({ pid: 500, startTicks: second });
    expect(source.identify(502)).toBeUndefined();
    expect(source.stateOf({ pid: 501, startTicks: second + 1 })).toBe("stopped");
    expect(source.family({ pid: 500, startTicks: second })).toEqual([
      { pid: 500, startTicks: second },
      { pid: 501, startTicks: second + 1 },
    ]);
  });

  it("that do not come mean that nothing is there", () => {
    const silent = createPsSource(() => "");
    expect(silent.identify(1)).toBeUndefined();
    expect([silent.command(1), silent.findByArgument("x")]).toEqual([[], []]);
  });
});
