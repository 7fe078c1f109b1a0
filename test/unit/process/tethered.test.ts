/** Processes are real: one that ends without a word is what the tether is for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it } from "vitest";
import { identifyProcess, isRunning } from "../../../src/process/process-identity.ts";
import { startTethered } from "../../../src/process/tethered.ts";
import { eventually } from "../../support/eventually.ts";

it("a tethered program has a pid of its own, and its end is told as it was", async () => {
  const child = await startTethered("/bin/sh", ["-c", "echo words; echo bad >&2; exit 7"]);
  expect(child.pid).toBeGreaterThan(1);
  expect(await child.exited).toEqual({ exitCode: 7, signal: null });
  await eventually("its words", () => child.stdoutTail() === "words\n");
  expect(child.stderrTail()).toBe("bad\n");
});

it("a tethered program that is ended by a signal is told as such", async () => {
  const child = await startTethered("/bin/sh", ["-c", "kill -KILL $$"]);
  expect(await child.exited).toEqual({ exitCode: null, signal: "SIGKILL" });
});

it("cutting the tether ends the program, whatever it does about signals", async () => {
  const child = await startTethered("/bin/sh", ["-c", "trap '' TERM INT HUP; sleep 60"]);
  const program = await identifyProcess(child.pid);
  child.cut();
  await child.exited;
  expect(program !== undefined && (await isRunning(program))).toBe(false);
});

it("a program that cannot be started is refused with the reason", async () => {
  await expect(startTethered("/nowhere/program", [])).rejects.toMatchObject({
    code: "PROCESS_FAILED",
    message: expect.stringContaining("cannot start /nowhere/program") as unknown,
  });
});

it("a program does not outlive the process that held its tether, killed without warning", async () => {
  const tether = join(import.meta.dirname, "../../../bin/tether.mjs");
  // the holder's own child is the process between; what that one says is passed on
  const script = `const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, [${JSON.stringify(tether)}, "0", "sleep", "60"], {
      stdio: ["ignore", "ignore", "inherit", "pipe"], detached: true });
    child.stdio[3].on("data", (chunk) => process.stdout.write(chunk));`;
  const holder = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(holder.stdout, "data")) as [Buffer];
  const program = await identifyProcess(Number(/\d+/.exec(line.toString())?.[0]));
  expect(program).toBeDefined();
  holder.kill("SIGKILL");
  await eventually("its end", async () => program !== undefined && !(await isRunning(program)));
});
