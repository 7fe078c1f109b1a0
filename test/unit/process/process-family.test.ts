import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { identifySelf } from "../../../src/process/process-identity.ts";
import {
  readCommand,
  readFamily,
  signalProcess,
  stateOf,
} from "../../../src/process/process-family.ts";
import { eventually } from "../../support/eventually.ts";
import { startSleeper } from "../../support/sleeper.ts";

const hasPython =
  process.platform === "linux" && spawnSync("python3", ["--version"]).error === undefined;
const gone = { pid: 2 ** 22 - 1, startTicks: 1 };

describe("a process", () => {
  it("is running, stopped, running again, and gone", async () => {
    await using sleeper = await startSleeper("exec sleep 60");
    const { identity } = sleeper;
    expect(stateOf(identity)).toBe("running");
    expect(signalProcess(identity, "SIGSTOP")).toBe(true);
    await eventually("it is stopped", () => stateOf(identity) === "stopped");
    expect(signalProcess(identity, "SIGCONT")).toBe(true);
    await eventually("it runs", () => stateOf(identity) === "running");
    expect(signalProcess(identity, "SIGKILL")).toBe(true);
    await sleeper.ended;
    expect(stateOf(identity)).toBe("gone");
    expect(signalProcess(identity, "SIGCONT")).toBe(false);
  });

  it.skipIf(!hasPython)(
    "that waits in the kernel for a stopped child counts as stopped with the stop on its way",
    async () => {
      // vfork(2) keeps its caller in the kernel, where no signal is taken, until the child goes on
      const script = "import ctypes, os; ctypes.PyDLL(None).vfork() or os.kill(os.getpid(), 19)";
      await using sleeper = await startSleeper(`exec python3 -c '${script}'`);
      const { identity } = sleeper;
      const child = await eventually("a stopped child", () => {
        return readFamily(identity).find((each) => stateOf(each) === "stopped");
      });
      expect(stateOf(identity)).toBe("running");
      signalProcess(identity, "SIGSTOP");
      expect(stateOf(identity)).toBe("stopped");
      signalProcess(identity, "SIGCONT");
      expect(stateOf(identity)).toBe("running");
      signalProcess(child, "SIGKILL");
    },
  );

  it("that only has another's number is not that one, and is not signalled", async () => {
    await using sleeper = await startSleeper("exec sleep 60");
    const { pid, startTicks } = sleeper.identity;
    const recycled = { pid, startTicks: (startTicks ?? 0) - 1 };
    expect(stateOf(recycled)).toBe("gone");
    expect(signalProcess(recycled, "SIGKILL")).toBe(false);
    expect(readFamily(recycled)).toEqual([]);
    expect(stateOf(sleeper.identity)).toBe("running");
  });

  it("has the family it started, itself first", async () => {
    await using sleeper = await startSleeper("sleep 61 & sleep 62 & wait");
    const { identity } = sleeper;
    const family = await eventually("its children", () => {
      const found = readFamily(identity);
      const words = found.map(({ pid }) => readCommand(pid).join(" "));
      return words.includes("sleep 61") && words.includes("sleep 62") && found;
    });
    expect(family).toHaveLength(3);
    expect(family[0]).toEqual(identity);
    for (const each of family) signalProcess(each, "SIGKILL");
  });

  it("that is not there has no state, family or command", () => {
    expect([stateOf(gone), readFamily(gone), readCommand(gone.pid)]).toEqual(["gone", [], []]);
    expect(stateOf(identifySelf())).toBe("running");
  });
});
